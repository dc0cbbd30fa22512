"""/api/network: what the process that answers found, once a minute, and without a secret."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.process import ADMIN_KEY, SECRET
from tests.support.world import World


@pytest.fixture(scope="module")
def world(suite_servers: dict[str, str]) -> World:
    return World(**suite_servers, OGEL_UPSTREAMS="/gone=http://127.0.0.1:1")


def test_every_server_is_there_and_asked_once_a_minute(world: World, suite_servers: dict[str, str]) -> None:
    with world:
        registered = {"name": "orders", "url": suite_servers["DATABASE_URL"]}
        world.ok("POST", "/api/databases", registered)
        found = world.ok("GET", "/api/network")
        assert world.ok("GET", "/api/network")["checked_at"] == found["checked_at"]
        key = world.ok("POST", "/api/keys", {"name": "narrow", "scopes": ["events:read"]})["key"]
        assert world("GET", "/api/network", key=key).status == 403
    by_name = {each["name"]: each for each in found["servers"]}
    assert set(by_name) == {"postgres", "redis", "upstream /gone", "database orders"}
    assert by_name["postgres"]["variable"] == "DATABASE_URL"
    assert {by_name[name]["pings"] for name in ("postgres", "redis", "database orders")} == {20}
    assert by_name["upstream /gone"]["error"] == "Connection refused"
    assert (found["public_hops"], found["unanswered"]) == (0, 1)
    password = psycopg.conninfo.conninfo_to_dict(suite_servers["DATABASE_URL"])["password"]
    assert password
    assert not any(secret in str(found) for secret in (str(password), SECRET, ADMIN_KEY))
