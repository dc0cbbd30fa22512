"""`ogel consolidate` in a private network as Railway's is: who has a private name alone is asked from inside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.mongo import Mongo
from tests.support.railnet import Railnet, Way, why_not
from tests.support.receiver import Receiver
from tests.support.suite_services import gotrue, kong_admin
from tests.support.supabase_project import EMPTY_MONGO, SupabaseProject


def dial(server: Receiver | Mongo | Any) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", server.port), timeout=5)


def answers(report: Any) -> dict[str, str]:
    return {each["name"]: each["answer"] for each in report["services"]}


def test_what_has_private_names_alone_is_seen_from_inside(tmp_path: Path) -> None:
    if missing := why_not():
        pytest.skip(f"SKIPPED: {missing}")
    with ExitStack() as stack:
        project = stack.enter_context(SupabaseProject())
        net = stack.enter_context(Railnet(tmp_path, ["kong", "auth", "mongodb", "ogel"], []))
        services = [
            ("kong", 8001, kong_admin({"/auth/v1": "auth"}), "kong:3.9"),
            ("auth", 9999, gotrue(), "supabase/gotrue:v2.186.0"),
            ("mongodb", 27017, Mongo(EMPTY_MONGO), "mongo:8"),
        ]
        for name, port, running, image in services:
            stack.enter_context(running)
            stack.enter_context(Way(net.listen(name, port), dial(running)))
            project.service(name, image=image)
        urls = {"KONG": "http://kong.railway.internal:8000", "AUTH": "http://auth.railway.internal:9999"}
        ogel = project.service("ogel", image="ogel", variables=urls)
        # Railway's API is a way out of the network; here it is at the same address as outside.
        listener = net.listen("ogel", project.railway.port, "127.0.0.1", family=socket.AF_INET)
        stack.enter_context(Way(listener, dial(project.railway)))

        outside = project.report()
        assert answers(outside) == {
            "kong": "unknown",
            "auth": "unknown",
            "mongodb": "unknown",
            "ogel": "keep",
        }
        assert all(each["private_only"] for each in outside["services"])

        command = [net.python("ogel"), "-m", "ogel", "consolidate", "--json"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **project.railway.variables()}
        inside = subprocess.run(
            command, env={**environment, **ogel.provided()}, capture_output=True, text=True, timeout=60
        )
        assert inside.returncode == 0, inside.stderr
        assert answers(json.loads(inside.stdout)) == {
            "kong": "replace",
            "auth": "replace",
            "mongodb": "remove",
            "ogel": "keep",
        }
        # In another project's network the same names are others.
        elsewhere = {**ogel.provided(), "RAILWAY_PROJECT_ID": "5d1a3b52-0000-4000-8000-000000000000"}
        told = subprocess.run(
            [*command, "--project", project.production.project.id, "--environment", "production"],
            env={**environment, **elsewhere}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert answers(json.loads(told.stdout)) == answers(outside)
