"""What goes on after its key was let in ends with it: whoever ends the key, whenever, and however they are heard of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller, Principal
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.http import end_watch as watching
from ogel.runtime.http.admission import Ending
from tests.support.keys import make

CALLER = Caller(SYSTEM, "req_1")
SCOPE = "realtime:read"
LIMIT_SECONDS = 15


@dataclass
class World:
    database: Database
    watch: KeyWatch
    keys: KeyService
    ended: asyncio.Queue[tuple[str, Ending]] = field(default_factory=asyncio.Queue)

    async def listener(self, seconds: float | None = None) -> Principal:
        expires_at = None if seconds is None else utc_now() + timedelta(seconds=seconds)
        _, key = await make(self.keys, CALLER, "listener", [SCOPE], expires_at)
        found = await self.keys.authenticate(key, CALLER)
        assert found is not None
        return found

    def open(self, principal: Principal) -> None:
        id = principal.id
        self.watch.watch(principal, SCOPE, lambda ending: self.ended.put_nowait((id, ending)))

    async def execute(self, statement: bytes, **parameters: object) -> None:
        async with self.database.autocommit() as tx:
            await tx.execute(statement, parameters)


SCOPES = ["events:read", "metrics:read", "realtime:read"]


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    """Without Redis: what ends is found by looking."""
    async with asyncio.timeout(LIMIT_SECONDS), make_pool(url, PoolOptions(1, 4, 30, 0.3, 10)) as pool:
        database, store, audit = Database(pool, lambda _: None), KeyStore(), AuditStore()
        watch = KeyWatch(database, store)
        keys = KeyService(
            database, store, audit, KeyUses(database, audit), watch, None, "a" * 24, lambda: SCOPES
        )
        stop = asyncio.Event()
        running = asyncio.create_task(watch.run(stop))
        try:
            yield World(database, watch, keys)
        finally:
            stop.set()
            await running


@pytest.mark.parametrize(
    ("statement", "ending"),
    [
        (b"UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s", "revoked"),
        (b"UPDATE api_keys SET expires_at = now() WHERE id = %(id)s", "expired"),
        (b"UPDATE api_keys SET scopes = '{events:read}' WHERE id = %(id)s", "revoked"),
        (b"DELETE FROM api_keys WHERE id = %(id)s", "revoked"),
    ],
)
def test_whatever_ends_a_key_ends_what_it_opened(database_url: str, statement: bytes, ending: Ending) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            mine, theirs = await world.listener(), await world.listener()
            for principal in (mine, mine, theirs):
                world.open(principal)
            await world.execute(statement, id=mine.id)
            assert [await world.ended.get() for _ in range(2)] == [(mine.id, ending)] * 2
            await world.execute(statement, id=theirs.id)
            assert await world.ended.get() == (theirs.id, ending)
            assert world.ended.empty()

    asyncio.run(story())


def test_what_needs_no_scope_ends_with_the_key_alone(database_url: str) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            principal = await world.listener()
            ended: list[Ending] = []
            forget = world.watch.watch(principal, "", ended.append)
            await world.execute(b"UPDATE api_keys SET scopes = '{}' WHERE id = %(id)s", id=principal.id)
            await asyncio.sleep(1.0)
            assert ended == []
            await world.execute(b"DELETE FROM api_keys WHERE id = %(id)s", id=principal.id)
            async with asyncio.timeout(5):
                while not ended:
                    await asyncio.sleep(0.05)
            forget()

    asyncio.run(story())


def test_what_opens_in_the_very_moment_of_revocation_ends(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found good, then revoked, then watched: no news will come."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 3600)

    async def story() -> None:
        async with a_world(database_url) as world:
            principal = await world.listener()
            await world.keys.revoke(CALLER, principal.id)
            world.open(principal)
            assert await world.ended.get() == (principal.id, "revoked")

    asyncio.run(story())


def test_a_key_expires_at_its_time_though_the_database_is_away(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        looked = asyncio.Event()
        judge = KeyWatch._judge
        monkeypatch.setattr(KeyWatch, "_judge", lambda *rest: (judge(*rest), looked.set()))
        async with a_world(database_url) as world:
            principal = await world.listener(seconds=1.5)
            world.open(principal)
            await looked.wait()
            await world.database._pool.close()
            assert await world.ended.get() == (principal.id, "expired")

    asyncio.run(story())


def test_a_key_remembered_for_metrics_is_forgotten_when_it_ends(database_url: str) -> None:
    """It may read metrics while the database is away; if it was revoked before that, it may not."""

    async def story() -> None:
        async with a_world(database_url) as world:
            id, gone = await make(world.keys, CALLER, "gone", ["metrics:read"])
            _, kept = await make(world.keys, CALLER, "kept", ["metrics:read"])
            for key in (gone, gone, kept):
                assert await world.keys.authenticate(key, CALLER) is not None
            await world.keys.revoke(CALLER, id)
            while len(world.keys._readers) == 2:
                await asyncio.sleep(0.02)
            await world.database._pool.close()
            assert await world.keys.authenticate(kept, CALLER) is not None
            with pytest.raises(DatabaseAway):
                await world.keys.authenticate(gone, CALLER)

    asyncio.run(story())


def test_the_database_is_asked_often_only_while_something_is_open(database_url: str) -> None:
    """A key that may read metrics is remembered by every process that meets it, and for as long as that lives."""

    async def story() -> None:
        async with a_world(database_url) as world:
            assert world.watch._pause() is None
            _, key = await make(world.keys, CALLER, "scraper", ["*"])
            principal = await world.keys.authenticate(key, CALLER)
            assert principal is not None
            seldom = world.watch._pause()
            forget = world.watch.watch(principal, SCOPE, lambda _: None)
            often = world.watch._pause()
            forget()
            assert seldom is not None and often is not None
            assert seldom > 20 and often < 0.5 and world.watch._pause() == seldom

    asyncio.run(story())


def test_what_was_let_go_is_asked_about_no_more(database_url: str) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            principal = await world.listener(seconds=3600)
            forget = [world.watch.watch(principal, SCOPE, lambda _: None) for _ in range(3)]
            admin = await world.keys.authenticate("a" * 24, CALLER)
            assert admin is not None
            world.watch.watch(admin, SCOPE, lambda _: None)
            assert set(world.watch._watched) == {principal.id}
            while not world.watch._expiries:
                await asyncio.sleep(0.02)
            for each in forget:
                each()
            assert not world.watch._watched and not world.watch._expiries

    asyncio.run(story())
