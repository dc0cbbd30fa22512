"""`ogel secrets`: OGEL_SECRET changes without a delivery being lost or unsigned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import ogel, ogel_here
from tests.support.process import SECRET, Ogel, eventually
from tests.support.receiver import Receiver

NEW = "another-secret-0123456789abcdef-01"
ROLES = ("api", "--with", "worker")


def secrets(command: str, servers: dict[str, str], **settings: str) -> tuple[int, Any]:
    done = ogel("secrets", command, "--json", **servers, **settings)
    assert done.out, done.err
    return done.code, json.loads(done.out)


def states(uses: Any) -> dict[str, int]:
    return {use["state"]: use["count"] for use in uses if use["column"] == "webhook_secrets.sealed"}


def test_changing_ogel_secret(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    log = tmp_path / "ogel.log"
    with Receiver() as receiver:

        def hear(running: Ogel) -> None:
            before = len(receiver.requests)
            running.api.ok("POST", "/api/events", {"type": "a.b", "data": 0})
            receiver.wait_for_count(before + 1)

        with Ogel(*ROLES, log=log, **servers) as running:
            hook = running.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["a.*"]})
            running.api.ok("POST", f"/api/webhooks/{hook['id']}/rotate-secret")
            hear(running)
        settings = {"OGEL_SECRET": NEW, "OGEL_SECRET_OLD": SECRET}
        with Ogel(*ROLES, log=log, **servers, **settings) as running:
            hear(running)
            assert states(secrets("status", servers, **settings)[1]) == {"former": 2}
            code, rotated = secrets("rotate", servers, **settings)
            assert (code, rotated["resealed"], rotated["unreadable"]) == (0, 2, 0)
            assert states(rotated["status"]) == {"newest": 2}
            hear(running)
        with Ogel(*ROLES, log=log, OGEL_SECRET=NEW, **servers) as running:
            hear(running)
        receiver.verify_all(hook["secret"])


def test_without_the_secret_deliveries_wait_and_burn_no_attempt(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    log = tmp_path / "ogel.log"
    with Receiver() as receiver:
        with Ogel("api", log=log, **servers) as running:
            hook = running.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["a.*"]})
            running.api.ok("POST", "/api/events", {"type": "a.b", "data": 0})
        with Ogel(*ROLES, log=log, OGEL_SECRET=NEW, **servers) as running:
            eventually(
                lambda: "webhook.secret_unreadable" in running.log_text(), 10, "the secret to be missed"
            )
            [shown] = running.api.ok("GET", f"/api/webhooks/{hook['id']}/secrets")["items"]
            lines = [
                json.loads(line) for line in running.log_text().splitlines() if "secret_unreadable" in line
            ]
            assert (lines[0]["webhook"], lines[0]["row"]) == (hook["id"], shown["id"])
            assert "put that one into OGEL_SECRET_OLD" in lines[0]["error"]
            assert hook["id"] in lines[0]["otherwise"]
            assert (shown["hint"], shown["public_key"]) == (None, None)
            [delivery] = running.api.ok("GET", "/api/deliveries")["items"]
            assert (delivery["status"], delivery["attempts"]) == ("pending", 0)
            code, rotated = secrets("rotate", servers, OGEL_SECRET=NEW)
            assert (code, rotated["resealed"], rotated["unreadable"]) == (1, 0, 1)
            assert states(rotated["status"]) == {"unknown": 1}
            [place] = rotated["unreadable_ids"]
            assert place == f"webhook_secrets.sealed {shown['id']}"
            assert receiver.requests == []
            assert hook["secret"].removeprefix("whsec_") not in running.log_text()


@pytest.mark.parametrize("command", ["status", "rotate"])
def test_what_is_missing_is_one_line(command: str, tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h", "OGEL_DATA_DIR": str(tmp_path)}
    refused = ogel_here("secrets", command, **nowhere)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "ogel: OGEL_SECRET is not set; it takes 24 characters or more\n"
    refused = ogel_here("secrets", command, OGEL_SECRET=SECRET, OGEL_SECRET_OLD=f"{NEW},short", **nowhere)
    assert refused.code == 2
    assert refused.err.startswith("ogel: OGEL_SECRET_OLD got 40 characters (hidden); it takes")
