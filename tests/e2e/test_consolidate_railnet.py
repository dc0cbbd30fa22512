"""`ogel consolidate` in a private network as Railway's is: who has a private name alone is asked from inside."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.cli import ogel
from tests.support.mongo import Mongo
from tests.support.railnet import Railnet, Way, why_not
from tests.support.receiver import Receiver
from tests.support.suite_services import gotrue, kong_admin
from tests.support.supabase_project import EMPTY_MONGO, SupabaseProject


def dial(server: Receiver | Mongo | Any) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", server.port), timeout=5)


def answers(report: Any) -> dict[str, str]:
    return {each["name"]: each["answer"] for each in report["services"]}


def test_what_has_private_names_alone_is_seen_from_inside() -> None:
    if missing := why_not():
        pytest.skip(f"SKIPPED: {missing}")
    with ExitStack() as stack:
        project = stack.enter_context(SupabaseProject())
        net = stack.enter_context(Railnet(["kong", "auth", "mongodb", "ogel"], []))
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
        service = project.service("ogel", image="ogel", variables=urls)
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

        def asked(*options: str, **variables: str) -> Any:
            done = ogel(
                net.program("ogel"), "consolidate", "--json", *options, module="-c",
                **project.railway.variables(), **variables,
            )  # fmt: skip
            assert done.code == 0, done.err
            return json.loads(done.out)

        assert answers(asked(**service.provided())) == {
            "kong": "replace",
            "auth": "replace",
            "mongodb": "remove",
            "ogel": "keep",
        }
        # In another project's network the same names are others.
        elsewhere = {**service.provided(), "RAILWAY_PROJECT_ID": "5d1a3b52-0000-4000-8000-000000000000"}
        place = ("--project", project.production.project.id, "--environment", "production")
        assert answers(asked(*place, **elsewhere)) == answers(outside)
