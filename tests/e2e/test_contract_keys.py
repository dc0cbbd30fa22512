"""Keys: made and revoked by `ogel keys`, and what each may do over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cli import ogel, ogel_here
from tests.support.contract import assert_problem
from tests.support.process import ADMIN_KEY, SECRET, Client, Ogel, eventually


@pytest.fixture
def operator(suite_servers: dict[str, str]) -> Any:
    """Runs `ogel keys …` beside the suite; returns the finished process."""

    def run(*arguments: str) -> Any:
        return ogel("keys", *arguments, OGEL_ADMIN_KEY=ADMIN_KEY, OGEL_SECRET=SECRET, **suite_servers)

    return run


def make(operator: Any, *arguments: str) -> dict[str, Any]:
    finished = operator("create", *arguments, "--json")
    assert finished.code == 0, finished.err
    made: dict[str, Any] = json.loads(finished.out)
    return made


def test_a_key_may_do_what_its_scopes_say(suite: Ogel, operator: Any) -> None:
    made = make(operator, "ci", "--scope", "events:write", "--scope", "webhooks:read")
    client = Client(suite.port, key=made["key"])
    event = {"type": "a.b", "data": 0}
    assert client("POST", "/api/events", event).status == 202
    assert client("GET", "/api/webhooks").status == 200
    hook = {"url": "http://127.0.0.1:1/", "events": ["a.b"]}
    for method, path, body, scope in (
        ("GET", "/api/events", None, "events:read"),  # it may only publish
        ("GET", "/api/events/evt_1", None, "events:read"),
        ("POST", "/api/webhooks", hook, "webhooks:write"),
        ("POST", "/api/test-webhook", None, "webhooks:write"),
        ("POST", "/api/deliveries/dlv_1/retry", None, "webhooks:write"),
        ("GET", "/api/audit-logs", None, "audit:read"),
        ("GET", "/api/jobs", None, "jobs:read"),
        ("GET", "/api/queues", None, "jobs:read"),
        ("DELETE", "/api/jobs/job_1", None, "jobs:write"),
        ("GET", "/api/schedules", None, "schedules:read"),
        ("POST", "/api/schedules/cleanup.events/run", None, "schedules:write"),
        ("GET", "/api/cleanup", None, "cleanup:read"),
        ("POST", "/api/cleanup/events/run", None, "cleanup:write"),
        ("POST", "/api/schedules", {}, "schedules:write"),
        ("PATCH", "/api/schedules/a", {}, "schedules:write"),
        ("DELETE", "/api/schedules/a", None, "schedules:write"),
        ("GET", "/metrics", None, "metrics:read"),
        ("GET", "/api/metrics", None, "metrics:read"),
    ):
        refused = assert_problem(client(method, path, body), 403)
        assert scope in refused["detail"]

    [record] = suite.api.ok("GET", f"/api/audit-logs?actor={made['id']}&action=event.publish")["items"]
    assert record["resource_type"] == "event"
    [record] = suite.api.ok("GET", f"/api/audit-logs?resource_id={made['id']}&action=key.create")["items"]
    assert record["actor"].startswith("cli:")
    assert made["key"] not in json.dumps(record)


def test_a_key_is_shown_once_and_listed_by_its_hint(suite: Ogel, operator: Any) -> None:
    finished = operator("create", "shown once", "--scope", "*")
    id, key = finished.out.split()
    listed = operator("list", "--json")
    assert key not in listed.out
    [mine] = [each for each in json.loads(listed.out)["items"] if each["id"] == id]
    assert key.startswith(mine["hint"])
    assert (mine["name"], mine["scopes"], mine["revoked_at"]) == ("shown once", ["*"], None)
    assert Client(suite.port, key=key)("GET", "/api/audit-logs").status == 200
    assert key not in suite.log_text()


def test_a_publishable_key_is_made_without_scopes(suite: Ogel, operator: Any) -> None:
    made = make(operator, "web", "--publishable")
    assert (made["kind"], made["scopes"]) == ("publishable", [])
    assert Client(suite.port, key=made["key"])("GET", "/api/events").status == 403
    assert "(publishable)" in operator("list").out
    for arguments in ((), ("--publishable", "--scope", "*")):
        refused = operator("create", "neither", *arguments)
        assert refused.code == 2 and "--publishable" in refused.err


def test_a_revoked_key_is_refused_at_once(suite: Ogel, operator: Any) -> None:
    made = make(operator, "gone", "--scope", "events:read")
    client = Client(suite.port, key=made["key"])
    assert client("GET", "/api/events").status == 200
    assert operator("revoke", made["id"]).code == 0
    assert_problem(client("GET", "/api/events"), 401)
    again = operator("revoke", made["id"])
    assert again.code == 1
    assert made["id"] in again.err


def test_use_and_refusal_of_keys_are_recorded_once(suite: Ogel, operator: Any) -> None:
    """By whichever process, and not for every request."""
    made = make(operator, "watched", "--scope", "events:read")
    client = Client(suite.port, key=made["key"])
    agent = {"user-agent": "watched/1"}

    def records(id: str) -> list[tuple[str, Any]]:
        found = suite.api.ok("GET", f"/api/audit-logs?resource_type=key&resource_id={id}&limit=100")["items"]
        return [(each["action"], each["metadata"].get("reason")) for each in reversed(found)]

    for _ in range(20):
        assert client("GET", "/api/events", headers=agent).status == 200
    eventually(lambda: len(records(made["id"])) == 2, 15, "its use to be recorded")
    [used] = suite.api.ok("GET", f"/api/audit-logs?resource_id={made['id']}&action=key.use")["items"]
    assert (used["actor"], used["user_agent"], used["ip_address"]) == (made["id"], "watched/1", "127.0.0.1")
    assert operator("revoke", made["id"]).code == 0
    for _ in range(20):
        assert client("GET", "/api/events").status == 401
        assert Client(suite.port, key="ogel_" + "x" * 43)("GET", "/api/events").status == 401
    eventually(lambda: len(records(made["id"])) == 4, 15, "its refusal to be recorded")
    assert records(made["id"]) == [
        ("key.create", None),
        ("key.use", None),
        ("key.revoke", None),
        ("key.refuse", "revoked"),
    ]
    assert records("unknown:127.0.0.1") == [("key.refuse", "unknown")]
    assert [action for action, _ in records("admin")] == ["key.use"]


def test_a_key_expires(suite: Ogel, operator: Any) -> None:
    made = make(operator, "brief", "--scope", "events:read", "--days", "0.00003")
    client = Client(suite.port, key=made["key"])
    eventually(lambda: client("GET", "/api/events").status == 401, 10, "the key to expire")
    [line] = [line for line in operator("list").out.splitlines() if made["id"] in line]
    assert "expired" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x"), "--scope"),
        (("create", "x", "--scope", "*", "--days", "0"), "--days"),
        (("create", "x", "--scope", "*", "--days", "1e300"), "--days"),
        (("create", "x", "--scope", "*", "--days", "soon"), "--days"),
        (("create", "--scope", "*"), "NAME"),
    ],
)
def test_what_asks_for_no_key_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    refused = ogel_here("keys", *arguments)
    assert refused.code == 2
    assert said in refused.err


def test_an_unknown_scope_makes_no_key(operator: Any) -> None:
    refused = operator("create", "x", "--scope", "evnts:write")
    assert refused.code == 2
    assert "'evnts:write' is no scope" in refused.err
    assert "Traceback" not in refused.err
