"""Keys over HTTP: a key gives only what its maker has, is rotated with an overlap, and ends at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ogel.kernel.clock import rfc3339, utc_now
from tests.support.cli import ogel
from tests.support.contract import assert_problem
from tests.support.process import ADMIN_KEY, SECRET, Client, Ogel, eventually

HERE, ELSEWHERE = "127.0.0.0/8", "203.0.113.0/24"


def made(suite: Ogel, by: Client | None = None, **body: Any) -> tuple[dict[str, Any], Client]:
    """The key as it was answered, and a client that has it."""
    answer = (by or suite.api).ok("POST", "/api/keys", {"name": "a test", "scopes": ["events:read"], **body})
    return answer, Client(suite.port, key=answer["key"])


def in_days(days: float) -> str:
    return rfc3339(utc_now() + timedelta(days=days))


def test_a_key_is_shown_when_it_is_made_and_never_again(suite: Ogel) -> None:
    expires_at = in_days(30)
    key, client = made(
        suite,
        name="ci",
        scopes=["jobs:read", "events:*", "jobs:read"],
        networks=[HERE],
        expires_at=expires_at,
    )
    assert client("GET", "/api/events").status == 200
    shown = {name: value for name, value in key.items() if name != "key"}
    assert shown == suite.api.ok("GET", f"/api/keys/{key['id']}")
    assert shown == suite.api.ok("GET", "/api/keys?limit=1")["items"][0]
    assert key["key"].startswith(shown["hint"])
    assert (shown["scopes"], shown["networks"], shown["expires_at"]) == (
        ["events:*", "jobs:read"],
        [HERE],
        expires_at,
    )
    assert (shown["made_by"], shown["replaced_by"], shown["revoked_at"]) == ("admin", None, None)
    [record] = suite.api.ok("GET", f"/api/audit-logs?resource_id={key['id']}&action=key.create")["items"]
    assert record["actor"] == "admin"
    assert key["key"] not in json.dumps(record) + suite.log_text()


def test_keys_are_listed_newest_first_in_pages(suite: Ogel) -> None:
    ids = [made(suite)[0]["id"] for _ in range(3)]
    first = suite.api.ok("GET", "/api/keys?limit=2")
    second = suite.api.ok("GET", f"/api/keys?limit=2&after={first['next']}")
    assert [each["id"] for each in [*first["items"], *second["items"]]][:3] == ids[::-1]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"scopes": []}, "body.scopes"),
        ({"scopes": ["events:admin"]}, "body.scopes"),
        ({"scopes": ["keys:delete"]}, "body.scopes"),
        ({"scopes": ["everything"]}, "body.scopes"),
        ({"scopes": ["events:write\n"]}, "body.scopes"),
        ({"scopes": ["events:write", "**"]}, "body.scopes"),
        ({"scopes": ["events"]}, "body.scopes"),
        ({"scopes": ["events:"]}, "body.scopes"),
        ({"scopes": ["Events:write"]}, "body.scopes"),
        ({"scopes": ["audit:write"]}, "body.scopes"),
        ({"scopes": ["metrics:write"]}, "body.scopes"),
        ({"networks": []}, "body.networks"),
        ({"networks": ["10.0.0.0/8", "10.0.0.1/8"]}, "body.networks[1]"),
        ({"networks": ["example.com"]}, "body.networks[0]"),
        ({"networks": ["10.0.0.0/33"]}, "body.networks[0]"),
        ({"networks": ["fe80::1%eth0"]}, "body.networks[0]"),
        ({"networks": ["10.0.0.0/8"] * 51}, "body.networks"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "body.expires_at"),
        ({"expires_at": "soon"}, "body.expires_at"),
        ({"id": "key_mine"}, "body.id"),
    ],
)
def test_what_asks_for_no_key_is_refused(suite: Ogel, body: dict[str, Any], path: str) -> None:
    answer = suite.api("POST", "/api/keys", {"name": "a test", "scopes": ["events:read"], **body})
    assert_problem(answer, 422, path)


def test_networks_are_kept_as_they_are_meant(suite: Ogel) -> None:
    key, _ = made(
        suite, networks=["2001:DB8::/32", "::ffff:203.0.113.0/120", "198.51.100.7", "198.51.100.7/32"]
    )
    assert key["networks"] == ["198.51.100.7/32", "203.0.113.0/24", "2001:db8::/32"]


def test_a_key_is_good_from_its_networks_only(suite: Ogel) -> None:
    _, here = made(suite, networks=[ELSEWHERE, HERE])
    key, elsewhere = made(suite, networks=[ELSEWHERE])
    for _ in range(2):  # the second time from memory
        assert here("GET", "/api/events").status == 200
        refused = assert_problem(elsewhere("GET", "/api/events"), 403)
        assert "address" in refused["detail"]
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7", "CF-Connecting-IP": "203.0.113.7"}
    assert elsewhere("GET", "/api/events", headers=forged).status == 403
    assert elsewhere("GET", f"/realtime/sse?key={key['key']}").status == 403


def test_a_key_gives_only_what_it_has(suite: Ogel) -> None:
    expires_at = in_days(10)
    maker, client = made(
        suite, scopes=["keys:*", "events:*"], networks=["127.0.0.0/8", "2001:db8::/32"], expires_at=expires_at
    )
    for body in (
        {"scopes": ["*"]},
        {"scopes": ["events:read", "jobs:read"]},
        {"networks": ["0.0.0.0/0"]},
        {"networks": ["127.0.0.1/32", "2001:db9::/48"]},
        {"networks": ["::/0"]},
        {"expires_at": in_days(11)},
    ):
        assert_problem(client("POST", "/api/keys", {"name": "more", "scopes": ["events:read"], **body}), 403)
    less, _ = made(suite, client, scopes=["events:write"], networks=["127.0.0.1/32"], expires_at=in_days(9))
    assert (less["networks"], less["made_by"]) == (["127.0.0.1/32"], maker["id"])
    same, _ = made(suite, client, scopes=["keys:read", "events:*"])
    assert (same["networks"], same["expires_at"]) == (maker["networks"], expires_at)
    _, reader = made(suite, client, scopes=["keys:read"])
    assert reader("GET", "/api/keys").status == 200
    assert_problem(reader("POST", "/api/keys", {"name": "x", "scopes": ["keys:read"]}), 403)


def test_nobody_changes_a_key_that_they_could_not_have_made(suite: Ogel) -> None:
    _, client = made(suite, scopes=["keys:write", "events:read"], expires_at=in_days(1))
    more, _ = made(suite, scopes=["*"])
    longer, _ = made(suite, scopes=["events:read"])
    for key in (more, longer):
        assert_problem(client("POST", f"/api/keys/{key['id']}/rotate", {}), 403)
    assert_problem(client("DELETE", f"/api/keys/{more['id']}"), 403)
    assert client("DELETE", f"/api/keys/{longer['id']}").status == 204
    briefly = client.ok("POST", "/api/keys", {"name": "b", "scopes": ["events:read"]})
    assert client("POST", f"/api/keys/{briefly['id']}/rotate", {}).status == 201


def test_a_key_of_a_day_does_not_replace_one_that_lasts(suite: Ogel) -> None:
    lasting, _ = made(suite)
    _, of_a_day = made(suite, scopes=["*"], expires_at=in_days(1))
    successor = {"overlap_seconds": 0, "expires_at": in_days(0.5)}
    assert_problem(of_a_day("POST", f"/api/keys/{lasting['id']}/rotate", successor), 403)
    assert suite.api.ok("GET", f"/api/keys/{lasting['id']}")["expires_at"] is None


def test_a_rotated_key_works_on_for_its_overlap(suite: Ogel) -> None:
    old, client = made(suite, scopes=["events:read", "keys:write"], networks=[HERE], expires_at=in_days(30))
    new = client.ok("POST", f"/api/keys/{old['id']}/rotate", {"overlap_seconds": 3600})
    successor = Client(suite.port, key=new["key"])
    same = ("name", "scopes", "networks", "expires_at")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert new["made_by"] == old["id"] != new["id"]
    for each in (client, successor):
        assert each("GET", "/api/events").status == 200
    shown = suite.api.ok("GET", f"/api/keys/{old['id']}")
    assert (shown["replaced_by"], shown["revoked_at"]) == (new["id"], None)
    left = datetime.fromisoformat(shown["expires_at"]) - utc_now()
    assert timedelta(seconds=3500) < left < timedelta(seconds=3700)

    again = assert_problem(suite.api("POST", f"/api/keys/{old['id']}/rotate", {}), 409)
    assert new["id"] in again["detail"]
    # What is about to end makes nothing that lives longer.
    assert_problem(client("POST", f"/api/keys/{new['id']}/rotate", {}), 403)
    last = suite.api.ok("POST", f"/api/keys/{new['id']}/rotate", {"overlap_seconds": 0})
    assert_problem(successor("GET", "/api/events"), 401)
    assert Client(suite.port, key=last["key"])("GET", "/api/events").status == 200
    actions = suite.api.ok("GET", f"/api/audit-logs?resource_id={old['id']}&resource_type=key")["items"]
    assert "key.rotate" in [each["action"] for each in actions]


def test_keys_that_rotate_each_other_wait_in_one_order(suite: Ogel, suite_servers: dict[str, str]) -> None:
    scopes = ["events:read", "keys:write"]
    (first, maker), (second, _) = made(suite, scopes=scopes), made(suite, scopes=scopes)
    locked = "SELECT id FROM ogel.api_keys WHERE id = %s FOR UPDATE NOWAIT"
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(suite_servers["DATABASE_URL"]) as rival, ThreadPoolExecutor(1) as others:
        rival.execute(locked, (first["id"],))
        answer = others.submit(maker, "POST", f"/api/keys/{second['id']}/rotate", {})
        eventually(lambda: rival.execute(waiting).fetchone() != (0,), 10, "the rotation to wait")
        # The later key is still free: the rival, too, takes them in this order.
        assert rival.execute(locked, (second["id"],)).fetchone() == (second["id"],)
        rival.rollback()
        assert answer.result().status == 201


def test_a_rotation_says_nothing_that_cannot_be(suite: Ogel) -> None:
    key, _ = made(suite)
    path = f"/api/keys/{key['id']}/rotate"
    for body, where in (
        ({"overlap_seconds": -1}, "body.overlap_seconds"),
        ({"overlap_seconds": 10**9}, "body.overlap_seconds"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        ({"scopes": ["*"]}, "body.scopes"),
    ):
        assert_problem(suite.api("POST", path, body), 422, where)
    assert suite.api("POST", path).status == 201, "a body is not needed"
    assert_problem(suite.api("POST", "/api/keys/key_none/rotate", {}), 404)


def test_a_revoked_key_is_refused_and_cannot_be_changed(suite: Ogel) -> None:
    key, client = made(suite, scopes=["keys:write", "events:read"])
    assert client("GET", "/api/events").status == 200
    assert client("DELETE", f"/api/keys/{key['id']}").status == 204, "its own"
    assert_problem(client("GET", "/api/events"), 401)
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        assert_problem(suite.api(method, f"/api/keys/{key['id']}{path}"), 404)
    assert suite.api.ok("GET", f"/api/keys/{key['id']}")["revoked_at"] is not None
    assert_problem(suite.api("GET", "/api/keys/key_none"), 404)
    assert_problem(suite.api("DELETE", "/api/keys/admin"), 404)


def test_operators_rotate_and_look_at_keys(suite: Ogel, suite_servers: dict[str, str]) -> None:
    def keys(*arguments: str) -> Any:
        finished = ogel("keys", *arguments, OGEL_ADMIN_KEY=ADMIN_KEY, OGEL_SECRET=SECRET, **suite_servers)
        assert finished.code == 0, finished.err
        return finished.out

    created = json.loads(keys("create", "cli", "--scope", "events:read", "--network", HERE, "--json"))
    id, key = keys("rotate", created["id"], "--overlap", "0").split()
    assert Client(suite.port, key=key)("GET", "/api/events").status == 200
    assert Client(suite.port, key=created["key"])("GET", "/api/events").status == 401
    shown = json.loads(keys("show", id))
    assert (shown["networks"], shown["made_by"][:4]) == ([HERE], "cli:")
