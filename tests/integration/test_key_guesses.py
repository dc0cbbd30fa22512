"""Guessing keys: limited by address before the database is asked, and nobody's fault but the guesser's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.kernel.errors import RateLimited
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.rates import guesses as module
from ogel.runtime.rates.budgets import Budgets
from ogel.runtime.rates.guesses import Guesses
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.policy import Quota
from tests.support.keys import make

GUESSES = 20
OFFICE = Caller(SYSTEM, "req_1", ip="198.51.100.7")
ELSEWHERE = replace(OFFICE, ip="203.0.113.9")


class Process(KeyService):
    """Counts what the database is asked."""

    def __init__(self, database: Database) -> None:
        store, audit, metrics = KeyStore(), AuditStore(), RateMetrics(CollectorRegistry())
        limiter = Limiter({"wrong_keys": (Quota(GUESSES, 3600),)}, Budgets(None, metrics), metrics)
        self.guesses = Guesses(limiter)
        uses, watch = KeyUses(database, audit), KeyWatch(database, store)
        super().__init__(
            database, store, audit, uses, watch, None, "a" * 24, lambda: ["events:read"], self.guesses
        )
        self.asked = 0
        find = store.find

        async def counted(tx: object, key_hash: bytes) -> object:
            self.asked += 1
            return await find(tx, key_hash)  # type: ignore[arg-type]

        store.find = counted  # type: ignore[method-assign,assignment]


@asynccontextmanager
async def a_process(url: str) -> AsyncIterator[Process]:
    async with asyncio.timeout(30), make_pool(url, PoolOptions(1, 4, 30, 5, 10)) as pool:
        yield Process(Database(pool, lambda _: None))


def test_whoever_guesses_is_stopped_before_the_database_is_asked(database_url: str) -> None:
    async def story() -> None:
        async with a_process(database_url) as process:
            _, key = await make(process, OFFICE, "works", ["events:read"])
            _, new = await make(process, OFFICE, "made before, met after", ["events:read"])
            assert await process.authenticate(key, OFFICE) is not None
            process.asked = 0
            tries = [process.authenticate(f"ogel_{n}", OFFICE) for n in range(100)]
            answers = await asyncio.gather(*tries, return_exceptions=True)
            assert answers.count(None) == process.asked == GUESSES
            refused = [each for each in answers if isinstance(each, RateLimited)]
            assert len(refused) == 100 - GUESSES
            assert (refused[0].retry_after_seconds or 0) > 100

            # The office: what worked goes on working, and so does the operator. A key that was never met is as a guess…
            process._memory.forget_all()
            assert await process.authenticate(key, OFFICE) is not None
            assert await process.authenticate("a" * 24, OFFICE) is not None
            with pytest.raises(RateLimited):
                await process.authenticate(new, OFFICE)
            # …but not from elsewhere, and from then on nowhere.
            assert await process.authenticate(new, ELSEWHERE) is not None
            process._memory.forget_all()
            assert await process.authenticate(new, OFFICE) is not None

    asyncio.run(story())


def test_an_ipv6_guesser_is_their_whole_network(database_url: str) -> None:
    async def story() -> None:
        async with a_process(database_url) as process:
            answers = []
            for n in range(60):
                here = replace(OFFICE, ip=f"2001:db8:0:7::{n:x}")
                answers.append(await _tried(process, f"ogel_{n}", here))
            assert answers.count(None) == process.asked == GUESSES
            assert await _tried(process, "ogel_x", replace(OFFICE, ip="2001:db8:0:8::1")) is None

    asyncio.run(story())


async def _tried(process: Process, key: str, caller: Caller) -> object:
    try:
        return await process.authenticate(key, caller)
    except RateLimited as error:
        return error


def test_a_program_with_one_wrong_key_is_one_guess(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with a_process(database_url) as process:
            id, key = await make(process, OFFICE, "revoked", ["events:read"])
            assert await process.authenticate(key, OFFICE) is not None
            await process.revoke(OFFICE, id)
            process.asked = 0
            for _ in range(200):
                assert await process.authenticate("ogel_wrong", OFFICE) is None
                assert await process.authenticate(key, OFFICE) is None
            assert process.asked == 2
            monkeypatch.setattr(module, "SAME_SECONDS", 0.0)
            for _ in range(GUESSES - 1):
                process.guesses._wrong.clear()
                assert await process.authenticate("ogel_wrong", OFFICE) is None
            process.guesses._wrong.clear()
            with pytest.raises(RateLimited):
                await process.authenticate(key, OFFICE)

    asyncio.run(story())


def test_keys_that_nobody_could_look_up_are_no_guesses(database_url: str) -> None:
    async def story() -> None:
        async with a_process(database_url) as process:
            _, key = await make(process, OFFICE, "good", ["events:read"])
            await process._database._pool.close()
            for _ in range(GUESSES * 2):
                with pytest.raises(DatabaseAway):
                    await process.authenticate(key, OFFICE)

    asyncio.run(story())


def test_what_is_remembered_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WRONG", 10)
    monkeypatch.setattr(module, "MOST_MET", 10)
    metrics = RateMetrics(CollectorRegistry())
    guesses = Guesses(Limiter({}, Budgets(None, metrics), metrics))
    for n in range(100):
        guesses.was_wrong(b"wrong %d" % n)
        guesses.was_good(b"good %d" % n, None)
    assert guesses.is_wrong(b"wrong 99") and not guesses.is_wrong(b"wrong 0")
    assert len(guesses._wrong) == len(guesses._met) == 10
