"""What a lone job costs: one statement to claim it and one to write its end, whatever else claims have to weigh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
import pytest

from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.endings import EndingStore
from ogel.runtime.jobs.job import DONE, Finished, Job, NewJob
from ogel.runtime.jobs.keys import Rate
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import CLAIM, FEW, LeaseStore
from ogel.runtime.jobs.runner import RunnerOptions
from ogel.runtime.jobs.shares import Division, NewKeys, Share
from tests.support.jobs import QUEUE, World, world

# No poll comes between: whatever is claimed, a bell was rung for.
UNPOLLED = RunnerOptions(busy_poll_seconds=60.0, idle_poll_seconds=60.0)
PLENTY = Division((), NewKeys(10, 100))


async def nothing(job: Job, _: Any) -> None:
    pass


def kind(**options: Any) -> JobKind:
    return JobKind("trial.do", QUEUE, nothing, **options)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is asked of the database, transactions' own words too."""
    asked: list[bytes] = []
    execute, begin = psycopg.AsyncConnection.execute, psycopg.AsyncTransaction.__aenter__

    async def counted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(query)
        return await execute(self, query, *arguments, **options)

    async def begun(self: Any) -> Any:
        asked.append(b"BEGIN")
        return await begin(self)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counted)
    monkeypatch.setattr(psycopg.AsyncTransaction, "__aenter__", begun)
    return asked


async def one_by_one(w: World, jobs: int) -> None:
    """The first finds everything anew; the runner has seen all there is before the next come."""
    for _ in range(jobs):
        await w.enqueue(NewJob("trial.do", {}))
        await w.until_empty()


def test_a_lone_job_costs_a_statement_to_claim_and_one_to_end(
    database_url: str, statements: list[bytes]
) -> None:
    async def record(tx: Transaction, finished: Sequence[Finished]) -> None:
        raise AssertionError("what is written at once is written by no other")

    def recorded(finished: Sequence[Finished]) -> Sequence[Piece]:
        sql = b"UPDATE job_keys SET key_limit = 7 WHERE EXISTS (SELECT FROM ended)"
        return [Piece("counted", sql, {})]

    async def story() -> None:
        async with world(database_url, kind(record=record, recorded=recorded)) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "noted", limit=64)
            async with w.running(UNPOLLED):
                await one_by_one(w, 3)
                statements.clear()
                await one_by_one(w, 4)
                async with w.database.autocommit() as tx:
                    assert await tx.value(b"SELECT key_limit FROM job_keys") == 7

    asyncio.run(story())
    asked = [sql for sql in statements if b"SELECT * FROM job_queue" not in sql and b"INSERT" not in sql[:6]]
    claims = [sql for sql in asked if b"claimed AS" in sql]
    ends = [sql for sql in asked if b"ended AS" in sql]
    assert (len(claims), len(ends)) == (4, 4)
    assert CLAIM not in claims
    # Only what the test itself enqueued in a transaction.
    assert asked.count(b"BEGIN") == 4


async def held(w: World, tx: Transaction) -> None:
    await w.keys.hold(tx, "key")


async def slowed(w: World, tx: Transaction) -> None:
    await w.keys.slow(tx, "key", 60.0)


async def tripped(w: World, tx: Transaction) -> None:
    await w.keys.trip(tx, "key", 0.001)


async def rated(w: World, tx: Transaction) -> None:
    await w.keys.set(tx, "key", rate=Rate(1, 1))


async def ordered(w: World, tx: Transaction) -> None:
    await w.queue.enqueue(tx, [NewJob("trial.do", {}, key="key", order_key="first")])


async def too_many(w: World, tx: Transaction) -> None:
    await w.queue.enqueue(tx, [NewJob("trial.do", {}) for _ in range(FEW)])


async def too_many_of_its_key(w: World, tx: Transaction) -> None:
    await w.queue.enqueue(tx, [NewJob("trial.do", {}, key="key") for _ in range(10)])


async def narrow(w: World, tx: Transaction) -> None:
    await w.keys.set(tx, "key", limit=1)
    await w.queue.enqueue(tx, [NewJob("trial.do", {}, key="key")])


async def left(w: World, tx: Transaction) -> None:
    """By a worker that disappeared."""
    await w.queue.enqueue(tx, [NewJob("trial.do", {})])
    await tx.execute(b"UPDATE job_queue SET status = 'running', leased_until = now() WHERE key = ''")


SPECIAL = [held, slowed, tripped, rated, ordered, too_many, too_many_of_its_key, narrow, left]


@pytest.mark.parametrize("special", SPECIAL)
def test_what_needs_weighing_is_left_to_the_claim_that_weighs(
    database_url: str, special: Callable[[World, Transaction], Awaitable[None]]
) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(NewJob("trial.do", {}, key="key"))
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "key")
                await special(w, tx)
            assert await LeaseStore(w.database, QUEUE, 15.0).claim_few(500, PLENTY) is None
            assert all(row["attempts"] == 0 for row in await w.rows())

    asyncio.run(story())


def test_little_is_claimed_as_everything_would_be(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "known", limit=5)
            ids = await w.enqueue(
                NewJob("trial.do", {"n": 1}, priority=1),
                NewJob("trial.do", {"n": 2}, key="known"),
                NewJob("trial.do", {"n": 3}, key="new"),
            )
            leases = LeaseStore(w.database, QUEUE, 15.0)
            claim = await leases.claim_few(500, Division([Share("known", 4, 3)], NewKeys(1, 100)))
            assert claim is not None
            assert {job.id for job in claim.jobs} == set(ids)
            assert claim.jobs[-1].payload == {"n": 1}
            assert all(job.attempts == 1 and job.lost is None for job in claim.jobs)
            assert claim.limits == {"known": 5}
            assert claim.saw_all
            assert not claim.left_some
            again = await leases.claim_few(500, PLENTY)
            assert again is not None
            assert not again.jobs

    asyncio.run(story())


def test_of_a_paused_queue_nothing_is_claimed(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.database.transaction() as tx:
                await w.queue.pause(tx, QUEUE)
            claim = await LeaseStore(w.database, QUEUE, 15.0).claim_few(500, PLENTY)
            assert claim is None or not claim.jobs

    asyncio.run(story())


def test_what_came_too_late_is_not_recorded_at_once(database_url: str) -> None:
    """Of two results that are written together, one has lost its lease."""
    told: list[tuple[str, str]] = []

    async def record(tx: Transaction, finished: Sequence[Finished]) -> None:
        raise AssertionError("what is written at once is written by no other")

    async def late(tx: Transaction, finished: Sequence[Finished]) -> None:
        told.extend(("late", each.job.id) for each in finished)

    def recorded(finished: Sequence[Finished]) -> Sequence[Piece]:
        sql = b"INSERT INTO job_keys (key) SELECT id FROM ended"
        return [Piece("noted", sql, {})]

    async def story() -> None:
        only = kind(record=record, recorded=recorded, late=late)
        async with world(database_url, only) as w:
            kept, lost = await w.enqueue(NewJob("trial.do", {}), NewJob("trial.do", {}))
            leases = LeaseStore(w.database, QUEUE, 15.0)
            claim = await leases.claim_few(500, PLENTY)
            assert claim is not None
            async with w.database.autocommit() as tx:
                await tx.execute(b"UPDATE job_queue SET lease_id = 'another' WHERE id = %(id)s", {"id": lost})
            results = [Finished(job, DONE, None) for job in claim.jobs]
            assert await EndingStore(w.database).write(results, {only.name: only}) == 1
            async with w.database.autocommit() as tx:
                assert await tx.tuples(b"SELECT key FROM job_keys") == [(kept,)]
            assert told == [("late", lost)]

    asyncio.run(story())
