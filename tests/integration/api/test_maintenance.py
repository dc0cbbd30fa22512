"""Maintenance: switched in one process, obeyed by another."""

from __future__ import annotations

import time

import pytest

from tests.support.process import eventually
from tests.support.world import World

SCOPES = ["gateway:read", "events:read"]


@pytest.fixture
def other(suite_servers: dict[str, str]) -> World:
    return World(**suite_servers)


def _status(world: World, path: str, key: str | None = None) -> int:
    """World fails a test at a 503."""
    try:
        return world("GET", path, key=key).status
    except AssertionError as error:
        if ": 503 " not in str(error):
            raise
        return 503


def test_it_is_on_in_every_process_within_a_second_and_off_again(api: World, other: World) -> None:
    key = api.ok("POST", "/api/keys", {"name": "reader", "scopes": SCOPES})["key"]
    with other:
        assert _status(other, "/api/events", key) == 200
        shown = api.ok("PUT", "/api/maintenance", {"message": "Back at noon.", "retry_after_seconds": 90})
        assert (shown["on"], shown["message"], shown["switched_by"]) == (True, "Back at noon.", "admin")
        began = time.monotonic()
        eventually(lambda: _status(other, "/api/events", key) == 503, 5, "the other process to obey")
        assert time.monotonic() - began < 1.5
        assert _status(api, "/api/events", key) == 503
        assert _status(other, "/health/ready") == _status(other, "/api/events") == 200
        # Who may look at it is no operator.
        assert _status(api, "/api/maintenance", key) == 503
        assert api.ok("GET", "/api/maintenance")["retry_after_seconds"] == 90
        assert api("DELETE", "/api/maintenance").status == api("DELETE", "/api/maintenance").status == 204
        assert _status(api, "/api/events", key) == 200
        eventually(lambda: _status(other, "/api/events", key) == 200, 5, "it to be over")
    records = api.ok("GET", "/api/audit-logs?action=maintenance.off")["items"]
    assert len(records) == 1


def test_who_may_switch_it_may_end_it(api: World) -> None:
    key = api.ok("POST", "/api/keys", {"name": "operator", "scopes": ["gateway:write"]})["key"]
    assert api("PUT", "/api/maintenance", {}, key=key).status == 200
    assert api("DELETE", "/api/maintenance", key=key).status == 204


def test_a_setting_has_it_on_whatever_the_switch_says(suite_servers: dict[str, str]) -> None:
    with World(**suite_servers, OGEL_MAINTENANCE="true") as world:
        shown = world.ok("GET", "/api/maintenance")
        assert (shown["on"], shown["by_setting"], shown["message"]) == (True, True, None)
        key = world.ok("POST", "/api/keys", {"name": "reader", "scopes": SCOPES})["key"]
        assert _status(world, "/api/events", key) == 503


@pytest.mark.parametrize(
    "body", [{"message": ""}, {"message": "x" * 501}, {"retry_after_seconds": 0}, {"on": True}]
)
def test_what_callers_are_told_has_a_size(api: World, body: object) -> None:
    assert api("PUT", "/api/maintenance", body).status == 422
