"""The audit log's export and verification, as they come over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import Ends
from ogel.features.audit.sealing import Seal
from ogel.kernel.errors import Unavailable
from tests.support.audit import age
from tests.support.world import World


@pytest.fixture(scope="module")
def sealed(api: World, suite_servers: dict[str, str]) -> World:
    for name in ("one", "two", "three"):
        api.ok("POST", "/api/keys", {"name": name, "scopes": ["audit:read"]})
    age(suite_servers["DATABASE_URL"])
    core = api.platform.core
    assert api.run(Seal(core.database, ChainStore(), Ends(core.vault)).batch()) == 3
    return api


def lines(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.splitlines()]


def test_an_export_has_each_sealed_record_linked_to_the_one_before(sealed: World) -> None:
    answer = sealed("GET", "/api/audit-logs/export?since=2026-01-01T00:00:00Z")
    found = lines(answer.raw)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert len(found) == int(answer.headers["x-total-count"]) == 3
    assert [each["previous"] for each in found[1:]] == [each["hash"] for each in found[:-1]]
    [record] = sealed.ok("GET", "/api/audit-logs?action=audit.export")["items"]
    assert record["metadata"]["records"] == 3


def test_a_verification_says_how_far_it_is_and_ends_with_what_it_found(sealed: World) -> None:
    answer = sealed("GET", "/api/audit-logs/verification")
    found = lines(answer.raw)
    assert found[-1]["verdict"]["ok"] is True
    assert found[-1]["checked"] == found[-1]["verdict"]["records"] == 3


@pytest.mark.parametrize("query", ["", "since=soon", "since=2026-01-01T00:00:00Z&until=2026-01-01"])
def test_what_an_export_does_not_take(sealed: World, query: str) -> None:
    assert sealed("GET", f"/api/audit-logs/export?{query}").status == 422


def test_two_walks_at_once_are_enough_for_a_process(sealed: World) -> None:
    routes = {
        route.path: route.handler.__self__
        for each in sealed.platform.features.all()
        if each.name == "audit"
        for route in each.routes()
    }
    busy = routes["/api/audit-logs/verification"]
    with busy._walk(), busy._walk(), pytest.raises(Unavailable):
        busy._check_room()
    busy._check_room()
