"""The steps of a replay, on tables with many rows: exact, bounded, and unharmed by a worker that dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.webhooks.deliveries.job import DELIVER, QUEUE
from ogel.features.webhooks.replays.jobs import BATCH, MOST_WAITING, REPLAY_STEP, ReplayStep
from ogel.features.webhooks.replays.purge import purge_of_replays
from ogel.features.webhooks.replays.replay import NewReplay, Only, Range, Replay, ReplayCursor, ReplayTarget
from ogel.features.webhooks.replays.service import ReplayService
from ogel.features.webhooks.replays.store import ReplayStore
from ogel.features.webhooks.replays.walk import FIND_ROWS, look
from ogel.kernel.clock import utc_now
from ogel.kernel.ids import id_at
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import REPLAY, Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue

CALLER = Caller(SYSTEM, "req_test")
WEBHOOK = "wh_trial"
LONG_AGO = utc_now() - timedelta(days=20)

ENDPOINT = """
INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds)
VALUES (%(webhook)s, 'http://127.0.0.1:1/', '{many.*}', '{many.%%}', 64, 5)
"""
# Every tenth event has no delivery; of the others every second failed, and has a dead job. One event a second.
SEED = """
INSERT INTO events (id, type, data, created_at)
SELECT 'e' || lpad(n::text, 9, '0'), CASE n %% 4 WHEN 0 THEN 'few.other' ELSE 'many.kind' END, '{}',
       %(begin)s::timestamptz + make_interval(secs => n)
FROM generate_series(1, %(rows)s) AS n;
INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, attempts, finished_at, created_at)
SELECT left(%(first_id)s, 13) || lpad(n::text, 17, '0'), 'e' || lpad(n::text, 9, '0'), %(webhook)s,
       CASE n %% 2 WHEN 0 THEN 'delivered' ELSE 'failed' END, 1, now(),
       %(begin)s::timestamptz + make_interval(secs => n)
FROM generate_series(1, %(rows)s) AS n WHERE n %% 10 <> 0;
INSERT INTO job_queue (id, queue_name, kind, payload, status, key, attempts, max_attempts)
SELECT 'job_' || substr(id, 5), 'webhooks', 'webhooks.deliver', json_build_object('delivery', id), 'dead', webhook_id,
       2, 2
FROM webhook_deliveries WHERE status = 'failed';
"""


def counts(rows: int) -> Mapping[Only, int]:
    """What each choice finds among `rows` of SEED; of type few.other nobody is missing anything."""
    missing = sum(n % 10 == 0 and n % 4 != 0 for n in range(1, rows + 1))
    delivered_or_failed = rows - rows // 10
    return {"failed": rows // 2, "missing": missing, "all": missing + delivered_or_failed}


def seed(url: str, rows: int, webhook: str | None = None) -> None:
    """For an endpoint that is there, or else for WEBHOOK."""
    with psycopg.connect(url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        if webhook is None:
            cursor.execute(ENDPOINT, {"webhook": WEBHOOK})
        parameters = {"rows": rows, "begin": LONG_AGO, "first_id": id_at("dlv", LONG_AGO)}
        cursor.execute(SEED, {"webhook": webhook or WEBHOOK, **parameters})
        cursor.execute("VACUUM ANALYZE events, webhook_deliveries, job_queue")


@dataclass
class World:
    """Replays without workers: a test does their steps, and what deliveries would do."""

    database: Database
    service: ReplayService
    kind: JobKind
    most_waiting: int = 0

    async def start(self, only: Only, **more: Any) -> Replay:
        return await self.service.create(CALLER, WEBHOOK, NewReplay(since=LONG_AGO, only=only, **more))

    async def next_job(self) -> Job | None:
        async with self.database.autocommit() as tx:
            rows = await tx.tuples(
                b"SELECT id, payload FROM job_queue WHERE kind = %(kind)s AND status = 'pending'",
                {"kind": REPLAY_STEP},
            )
        assert len(rows) <= 1, "one step at a time"
        now = utc_now()
        return (
            Job(rows[0][0], REPLAY_STEP, rows[0][1], 0, "", "", 1, 8, "l", now, now, None) if rows else None
        )

    async def finish(self, job: Job) -> None:
        async with self.database.autocommit() as tx:
            await tx.execute(b"DELETE FROM job_queue WHERE id = %(id)s", {"id": job.id})

    async def step(self) -> bool:
        """False: none was left."""
        job = await self.next_job()
        if job is None:
            return False
        await self.kind.perform(job, None)
        await self.finish(job)
        return True

    async def waiting(self) -> int:
        async with self.database.autocommit() as tx:
            found: int = await tx.value(
                b"SELECT count(*) FROM job_queue WHERE kind = %(kind)s AND status = 'pending'",
                {"kind": DELIVER},
            )
        return found

    async def deliver(self) -> list[str]:
        """All that waits, under the ids of their events."""
        async with self.database.autocommit() as tx:
            rows = await tx.tuples(
                b"""
                WITH done AS (DELETE FROM job_queue WHERE kind = 'webhooks.deliver' AND status = 'pending'
                              RETURNING payload ->> 'delivery' AS id, priority)
                UPDATE webhook_deliveries AS d SET status = 'delivered', finished_at = now(), next_attempt_at = NULL
                FROM done WHERE d.id = done.id AND d.status = 'pending'
                RETURNING d.event_id, done.priority
                """
            )
        assert {priority for _, priority in rows} <= {REPLAY}
        return [event_id for event_id, _ in rows]

    async def run(self, id: str) -> list[str]:
        """To its end; the events delivered, in no order."""
        delivered: list[str] = []
        while await self.step():
            waiting = await self.waiting()
            self.most_waiting = max(self.most_waiting, waiting)
            if waiting > MOST_WAITING - BATCH:
                delivered += await self.deliver()
        assert (await self.service.get(id)).status == "completed"
        return delivered + await self.deliver()


@asynccontextmanager
async def world(database_url: str) -> AsyncIterator[World]:
    pool = make_pool(database_url, PoolOptions(1, 5, 30, 5, 10))
    await pool.open()
    database, jobs, store = Database(pool, lambda _: None), JobQueue(), ReplayStore()
    kind = ReplayStep(database, store, jobs).kind()

    async def nothing(job: Job, _: Any) -> None: ...

    jobs.know([kind, JobKind(DELIVER, QUEUE, nothing)])
    try:
        yield World(database, ReplayService(database, store, jobs, AuditStore()), kind)
    finally:
        await pool.close()


def in_world(database_url: str, story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        async with world(database_url) as w:
            await story(w)

    asyncio.run(told())


@pytest.mark.parametrize("only", ["failed", "missing", "all"])
def test_ten_thousand_rows_once_each(database_url: str, only: Only) -> None:
    rows = 10_000
    seed(database_url, rows)

    async def story(w: World) -> None:
        started = await w.start(only)
        delivered = await w.run(started.id)
        assert len(delivered) == len(set(delivered)) == counts(rows)[only]
        done = await w.service.get(started.id)
        assert (done.total, done.replayed, done.skipped) == (counts(rows)[only], counts(rows)[only], 0)
        if counts(rows)[only] > MOST_WAITING:
            assert MOST_WAITING - BATCH < w.most_waiting <= MOST_WAITING

    in_world(database_url, story)


def test_it_waits_while_much_is_waiting_and_less_and_less_often(database_url: str) -> None:
    seed(database_url, 6_000)

    async def story(w: World) -> None:
        started = await w.start("failed")
        while (await w.service.get(started.id)).replayed < MOST_WAITING:
            await w.step()
        pauses = []
        for _ in range(8):
            await w.step()
            async with w.database.autocommit() as tx:
                pauses.append(
                    await tx.value(
                        b"SELECT extract(epoch FROM scheduled_at - now())::float8 FROM job_queue WHERE kind = %(k)s",
                        {"k": REPLAY_STEP},
                    )
                )
        assert (await w.service.get(started.id)).replayed == MOST_WAITING == await w.waiting()
        assert all(a <= b + 0.05 for a, b in pairwise(pauses))
        assert 4.0 < pauses[-1] <= 5.0
        # What failed again and waits for its next attempt holds up nothing.
        async with w.database.autocommit() as tx:
            later = b"UPDATE job_queue SET scheduled_at = now() + interval '1 hour' WHERE kind = %(k)s"
            await tx.execute(later, {"k": DELIVER})
        await w.step()
        assert (await w.service.get(started.id)).replayed == MOST_WAITING + BATCH

    in_world(database_url, story)


def test_a_step_that_was_done_is_not_done_again(database_url: str) -> None:
    seed(database_url, 2_000)

    async def story(w: World) -> None:
        started = await w.start("failed")
        job = await w.next_job()
        assert job is not None
        await w.kind.perform(job, None)
        after = await w.service.get(started.id)
        assert after.replayed == BATCH
        # Its worker died before it could say so, and another one claims it.
        await w.kind.perform(job, None)
        assert await w.service.get(started.id) == after
        await w.finish(job)
        assert len(await w.run(started.id)) == 1_000

    in_world(database_url, story)


def test_a_step_that_is_interrupted_leaves_no_trace(database_url: str) -> None:
    seed(database_url, 2_000)

    async def story(w: World) -> None:
        started = await w.start("all")
        before = await w.service.get(started.id)
        job = await w.next_job()
        assert job is not None
        async with w.database.autocommit() as tx:
            # The last thing a step writes is the next step's job: no sooner it fails.
            await tx.execute(b"ALTER TABLE job_queue ADD CHECK (kind <> 'webhooks.replay') NOT VALID")
        with pytest.raises(psycopg.errors.CheckViolation):
            await w.kind.perform(job, None)
        assert await w.service.get(started.id) == before
        assert await w.waiting() == 0
        async with w.database.autocommit() as tx:
            pending = b"SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
            assert await tx.value(pending) == 0

    in_world(database_url, story)


def test_its_job_given_up_pauses_it_until_someone_revives_or_resumes_it(database_url: str) -> None:
    seed(database_url, 4_000)

    async def story(w: World) -> None:
        started = await w.start("failed")
        job = await w.next_job()
        assert job is not None and w.kind.record and w.kind.revived and w.kind.discarded
        async with w.database.transaction() as tx:
            await w.kind.record(tx, [Finished(job, Outcome("dead", "ValueError: why"), None)])
        stopped = await w.service.get(started.id)
        assert (stopped.status, stopped.error) == ("paused", "ValueError: why")
        async with w.database.transaction() as tx:
            await w.kind.revived(tx, [job.payload])
        assert await w.step()
        assert (await w.service.get(started.id)).replayed == BATCH

        dropped = await w.next_job()
        assert dropped is not None
        await w.finish(dropped)
        async with w.database.transaction() as tx:
            await w.kind.discarded(tx, [dropped.payload])
        assert (await w.service.get(started.id)).status == "paused"
        assert (await w.service.resume(CALLER, started.id)).error is None
        # The old job, should it come back, is of an earlier step.
        await w.kind.perform(dropped, None)
        assert (await w.service.get(started.id)).replayed == BATCH
        assert len(await w.run(started.id)) == 2_000

    in_world(database_url, story)


def test_a_rate_is_spread_over_time(database_url: str) -> None:
    seed(database_url, 1_000)

    async def story(w: World) -> None:
        await w.start("failed", per_second=10)
        await w.step()
        async with w.database.autocommit() as tx:
            query = (
                b"SELECT extract(epoch FROM scheduled_at)::float8 FROM job_queue "
                b"WHERE status = 'pending' AND kind = %(k)s"
            )
            times = sorted(at for (at,) in await tx.tuples(query, {"k": DELIVER}))
            [(following,)] = await tx.tuples(query, {"k": REPLAY_STEP})
        assert len(times) == 10
        gaps = [b - a for a, b in zip(times, [*times[1:], following], strict=True)]
        assert all(0.0999 < gap < 0.1001 for gap in gaps), gaps

    in_world(database_url, story)


def test_what_is_ordered_stays_ordered(database_url: str) -> None:
    seed(database_url, 40)

    async def story(w: World) -> None:
        async with w.database.autocommit() as tx:
            await tx.execute(b"UPDATE webhook_endpoints SET ordered_by = 'subject'")
            await tx.execute(b"UPDATE events SET subject = 'cart/' || right(id, 1) WHERE right(id, 1) > '4'")
        started = await w.start("all")
        assert await w.step()
        assert (await w.service.get(started.id)).status == "completed"
        async with w.database.autocommit() as tx:
            query = (
                b"SELECT j.order_key, d.event_id FROM job_queue AS j JOIN webhook_deliveries AS d "
                b"ON d.id = j.payload ->> 'delivery' WHERE j.status = 'pending' ORDER BY j.seq"
            )
            written = await tx.tuples(query)
        assert [event_id for _, event_id in written] == sorted(event_id for _, event_id in written)
        assert len(written) == counts(40)["all"]
        for order_key, event_id in written:
            assert order_key == (f"cart/{event_id[-1]}" if event_id[-1] > "4" else "")

    in_world(database_url, story)


class Explaining(Transaction):
    """Looks at what each query costs: pages read, of tables and indexes, and the most rows that one scan went over."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx._took)
        self.pages = 0
        self.rows = 0.0

    async def tuples(self, query: bytes, parameters: Any = None) -> list[tuple[Any, ...]]:
        [(plan,)] = await super().tuples(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, parameters)
        top = plan[0]["Plan"]
        self.pages += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        self._look_into(top)
        return await super().tuples(query, parameters)

    def _look_into(self, plan: Mapping[str, Any]) -> None:
        removed = sum(count for name, count in plan.items() if name.startswith("Rows Removed"))
        self.rows = max(self.rows, (plan["Actual Rows"] + removed) * plan["Actual Loops"])
        for part in plan.get("Plans", ()):
            self._look_into(part)


@pytest.mark.parametrize(
    ("only", "found", "pages"), [("failed", 500, 2_500), ("missing", 250, 21_000), ("all", 500, 2_500)]
)
def test_a_step_looks_at_its_page_and_not_at_the_table(
    database_url: str, only: Only, found: int, pages: int
) -> None:
    """As many pages at a million rows: what is walked is a few levels of an index and a row, so and so often."""
    seed(database_url, 30_000)

    async def story(w: World) -> None:
        about = Range(WEBHOOK, LONG_AGO, utc_now(), only, ["*"], ["%"], utc_now())
        listener = ReplayTarget(["many.%"], None, None)
        middle = LONG_AGO + timedelta(seconds=10_000)
        async with w.database.autocommit() as tx:
            query = b"SELECT id FROM webhook_deliveries WHERE created_at < %(at)s ORDER BY created_at DESC LIMIT 1"
            last = await tx.value(query, {"at": middle})
            explaining = Explaining(tx)
            cursor = ReplayCursor(middle, last if only == "failed" else "")
            sight = await look(explaining, about, listener, cursor, 500)
        assert len(sight.found) == found
        assert explaining.rows <= FIND_ROWS
        assert explaining.pages < pages

    in_world(database_url, story)


def test_what_is_long_over_is_forgotten(database_url: str) -> None:
    seed(database_url, 10)

    async def story(w: World) -> None:
        old = await w.start("failed")
        await w.run(old.id)
        async with w.database.autocommit() as tx:
            await tx.execute(b"UPDATE webhook_replays SET finished_at = finished_at - interval '31 days'")
        recent = await w.start("missing")
        await w.run(recent.id)
        unfinished = await w.start("all")
        async with w.database.autocommit() as tx:
            before = utc_now() - timedelta(days=30)
            assert (await purge_of_replays(30).batch(tx, before, 100)).deleted == 1
        left = await w.service.list({"limit": 9, "after": None, "webhook": None, "status": None})
        assert [replay.id for replay in left] == [unfinished.id, recent.id]

    in_world(database_url, story)
