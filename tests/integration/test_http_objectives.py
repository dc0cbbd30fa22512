"""Which requests are promised something, by their class, and which of them count as failures of ours."""

from __future__ import annotations

from collections.abc import Mapping

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.faults import DatabaseAway
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.http.gate import Gate, Notice
from tests.support.http import KEYS, READER, WRITER, World, ask, running, story


async def _authenticate(key: str, _: Caller) -> Principal | None:
    if key == "breaks":
        raise ZeroDivisionError
    if key == "waits":
        raise DatabaseAway("The database does not answer.")
    return KEYS.get(key)


def counted(world: World) -> Mapping[str, tuple[int, int, int]]:
    """Of each class: how many, how many of them bad, and of how many it is known how long they took."""
    return {
        each.name: (each.total, each.bad, sum(each.counts))
        for each in world.tallies.take()
        if each.name.startswith("http.")
    }


@story
async def test_requests_count_for_their_class() -> None:
    async with running(World(authenticators={KEY: by_key(_authenticate)})) as world:
        for method, path, headers, status in (
            ("GET", "/api/things/1", READER, 200),
            ("GET", "/api/things/1", {}, 401),
            ("GET", "/api/things?limit=none", READER, 422),
            ("GET", "/api/things/1", {"Authorization": "Bearer breaks"}, 500),
            ("GET", "/api/things/1", {"Authorization": "Bearer waits"}, 503),
            ("DELETE", "/api/things/1", WRITER, 204),
            ("DELETE", "/api/things/1", READER, 403),
            # Promised to nobody: health, what is open to all, what is not there, and not in this way.
            ("GET", "/health/live", {}, 200),
            ("GET", "/api/fail/bug", {}, 500),
            ("GET", "/nowhere", {}, 404),
            ("PATCH", "/api/things/1", WRITER, 405),
        ):
            assert (await ask(world, method, path, headers=headers)).status == status, path
        assert counted(world) == {"http.read": (5, 2, 5), "http.write": (2, 0, 2)}


class Announced:
    async def notice(self) -> Notice | None:
        return Notice("Back at noon.", 90)


@story
async def test_maintenance_is_no_failure() -> None:
    async with running(World(gate=Gate((), Announced()))) as world:
        assert (await ask(world, "GET", "/api/things/1", headers=READER)).status == 503
        assert counted(world) == {}
