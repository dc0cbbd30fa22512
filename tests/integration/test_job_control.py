"""Jobs under control: paused queues, cancelled jobs, progress, results that are kept, priorities."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.job import LOW, MOST_RESULT_BYTES, REPLAY, RETRY, URGENT, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import LeaseStore
from ogel.runtime.jobs.progress import report
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.runner import RunnerOptions
from tests.support.jobs import QUEUE, World, world


async def do_nothing(job: Job, _: Any) -> None:
    pass


class Told:
    """What a kind is told of its jobs that are dropped or run again."""

    def __init__(self) -> None:
        self.discarded: list[int] = []
        self.revived: list[int] = []

    async def discard(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        self.discarded += [payload["n"] for payload in payloads]

    async def revive(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        self.revived += [payload["n"] for payload in payloads]


def kind(perform: Any = do_nothing, **options: Any) -> JobKind:
    return JobKind("trial.do", QUEUE, perform, **{"backoff": RetryPolicy.doubling(0.01, 0.02), **options})


def job(n: int = 0, **options: Any) -> NewJob:
    return NewJob("trial.do", {"n": n}, **options)


async def failing(job: Job, _: Any) -> None:
    raise ValueError("no \x00")


async def results(w: World) -> list[dict[str, Any]]:
    async with w.database.autocommit() as tx:
        return await tx.dicts(b"SELECT * FROM job_results ORDER BY id")


def test_of_a_paused_queue_nothing_is_claimed_until_it_is_resumed(database_url: str) -> None:
    async def story() -> None:
        done = asyncio.Event()

        async def perform(job: Job, _: Any) -> None:
            done.set()

        async with world(database_url, kind(perform)) as w:
            async with w.database.transaction() as tx:
                await w.queue.pause(tx, QUEUE)
                await w.queue.pause(tx, QUEUE)
            await w.enqueue(job())
            # A runner that polls every half minute still hears of the end of the pause.
            async with w.running(RunnerOptions(busy_poll_seconds=30, idle_poll_seconds=30)):
                claim = await LeaseStore(w.database, QUEUE, 60).claim(10)
                assert (claim.jobs, claim.saw_all) == ([], True)
                assert not done.is_set()
                async with w.database.transaction() as tx:
                    await w.queue.resume(tx, QUEUE)
                await w.until_empty()

    asyncio.run(story())


def test_a_running_job_that_is_cancelled_is_stopped_and_gone(database_url: str) -> None:
    async def story() -> None:
        begun, stopped, told = asyncio.Event(), asyncio.Event(), Told()

        async def perform(job: Job, _: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        async with world(database_url, kind(perform, discarded=told.discard)) as w:
            [id] = await w.enqueue(job(7, keep_result_seconds=60))
            async with w.running():
                await begun.wait()
                async with w.database.transaction() as tx:
                    assert await w.queue.cancel(tx, id)
                async with asyncio.timeout(10):
                    await stopped.wait()
                await w.until_empty()
            assert told.discarded == [7]
            [kept] = await results(w)
            assert (kept["id"], kept["status"], kept["result"]) == (id, "cancelled", None)
            async with w.database.transaction() as tx:
                assert not await w.queue.cancel(tx, id)

    asyncio.run(story())


def test_a_cancelled_job_whose_worker_died_is_begun_by_nobody(database_url: str) -> None:
    async def story() -> None:
        begun = False

        async def perform(job: Job, _: Any) -> None:
            nonlocal begun
            begun = True

        async with world(database_url, kind(perform)) as w:
            [id] = await w.enqueue(job())
            await LeaseStore(w.database, QUEUE, lease_seconds=0.5).claim(10)
            async with w.database.transaction() as tx:
                assert await w.queue.cancel(tx, id)
            async with w.running(RunnerOptions(busy_poll_seconds=0.1, idle_poll_seconds=0.1)):
                await w.until_empty()
            assert not begun

    asyncio.run(story())


def test_a_waiting_job_that_is_cancelled_is_discarded(database_url: str) -> None:
    async def story() -> None:
        told = Told()
        async with world(database_url, kind(discarded=told.discard)) as w:
            [id] = await w.enqueue(job(3))
            async with w.database.transaction() as tx:
                assert await w.queue.cancel(tx, id)
            assert await w.rows() == []
            assert told.discarded == [3]

    asyncio.run(story())


def test_what_is_too_short_to_be_cut_ends_as_it_ends(database_url: str) -> None:
    async def story() -> None:
        begun, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def perform(job: Job, _: Any) -> None:
            begun.set()
            await release.wait()
            done.set()

        async with world(database_url, kind(perform, cancellable=False)) as w:
            [id] = await w.enqueue(job())
            async with w.running() as runner:
                await begun.wait()
                async with w.database.transaction() as tx:
                    await w.queue.cancel(tx, id)
                await runner._tender.tend()
                release.set()
                await w.until_empty()
            assert done.is_set()

    asyncio.run(story())


def test_progress_is_written_while_a_job_runs(database_url: str) -> None:
    async def story() -> None:
        release = asyncio.Event()

        async def perform(job: Job, _: Any) -> None:
            for n in range(5):
                report(n, 10, f"step {n}\x00")
            await release.wait()

        async with world(database_url, kind(perform)) as w:
            await w.enqueue(job())
            async with w.running():
                [row] = await w.until(lambda rows: rows and rows[0]["progress"])
                assert row["progress"] == {"done": 4, "total": 10, "note": "step 4\ufffd"}
                release.set()
                await w.until_empty()

    asyncio.run(story())


def test_a_result_is_kept_when_asked_and_purged_when_its_time_is_over(database_url: str) -> None:
    async def story() -> None:
        async def perform(job: Job, _: Any) -> Outcome:
            return Outcome("done", result={"n": job.payload["n"]})

        async with world(database_url, kind(perform)) as w:
            [kept, _, short] = await w.enqueue(
                job(1, keep_result_seconds=3600), job(2), job(3, keep_result_seconds=0)
            )
            async with w.running():
                await w.until_empty()
            found = {row["id"]: row for row in await results(w)}
            assert set(found) == {kept, short}
            assert (found[kept]["status"], found[kept]["result"], found[kept]["attempts"]) == (
                "done",
                {"n": 1},
                1,
            )
            async with w.database.autocommit() as tx:
                assert await w.queue.purge_results(tx, utc_now(), 10) == 1
            assert [row["id"] for row in await results(w)] == [kept]

    asyncio.run(story())


@pytest.mark.parametrize("result", [object(), "x" * MOST_RESULT_BYTES])
def test_a_result_that_cannot_be_kept_fails_the_attempt(database_url: str, result: object) -> None:
    async def story() -> None:
        async def perform(job: Job, _: Any) -> Outcome:
            return Outcome("done", result=result)

        async with world(database_url, kind(perform, max_attempts=1)) as w:
            await w.enqueue(job(keep_result_seconds=60))
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
            assert "its result" in str(row["last_error"])

    asyncio.run(story())


def test_the_urgent_come_first_and_what_can_wait_last(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            priorities = [LOW, REPLAY, RETRY, 0, URGENT]
            await w.enqueue(*(job(n, priority=priority) for n, priority in enumerate(priorities)))
            claimed = [
                (await LeaseStore(w.database, QUEUE, 60).claim(1)).jobs[0].priority for _ in priorities
            ]
            assert claimed == sorted(priorities)

    asyncio.run(story())


def test_dead_jobs_are_revived_and_dropped_in_batches(database_url: str) -> None:
    async def story() -> None:
        told = Told()
        options = {"max_attempts": 1, "discarded": told.discard, "revived": told.revive}

        async def fail(job: Job, _: Any) -> None:
            raise RuntimeError("never")

        async with world(database_url, kind(fail, **options)) as w:
            await w.enqueue(*(job(n) for n in range(5)))
            async with w.running():
                await w.until(lambda rows: all(row["status"] == "dead" for row in rows))
            async with w.database.transaction() as tx:
                assert await w.queue.revive_dead(tx, QUEUE, None, 3) == 3
                assert await w.queue.revive_dead(tx, QUEUE, "other.kind", 3) == 0
                assert await w.queue.discard_many(tx, QUEUE, "dead", "trial.do", 10) == 2
                assert await w.queue.discard_many(tx, QUEUE, "pending", None, 10) == 3
            assert sorted(told.revived) == [0, 1, 2]
            assert (sorted(told.discarded[:2]), sorted(told.discarded[2:])) == ([3, 4], [0, 1, 2])
            assert await w.rows() == []

    asyncio.run(story())


def test_of_dead_jobs_that_are_unique_by_one_key_one_runs_again(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind(failing, max_attempts=1)) as w:
            async with w.running():
                for n in range(3):
                    await w.enqueue(job(n, dedupe_key="one"))
                    await w.until(lambda rows, n=n: [row["status"] for row in rows] == ["dead"] * (n + 1))
            async with w.database.transaction() as tx:
                assert await w.queue.revive_dead(tx, QUEUE, None, 10) == 1
                assert await w.queue.revive_dead(tx, QUEUE, None, 10) == 0
            by_status = sorted((str(row["status"]), str(row["id"])) for row in await w.rows())
            assert [status for status, _ in by_status] == ["dead", "dead", "pending"]
            async with w.database.transaction() as tx:
                assert not await w.queue.revive(tx, by_status[0][1])

    asyncio.run(story())


def test_an_error_that_cannot_be_stored_costs_one_attempt_and_is_told(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind(failing, max_attempts=2)) as w:
            await w.enqueue(job())
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
            assert (row["attempts"], row["last_error"]) == (2, "ValueError: no \ufffd")

    asyncio.run(story())


def test_a_cancelled_job_has_the_time_it_takes_to_end_well(database_url: str) -> None:
    async def story() -> None:
        begun, ended_well = asyncio.Event(), asyncio.Event()

        async def perform(job: Job, _: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(2.5)  # longer than cancelled jobs are looked for
                ended_well.set()

        async with world(database_url, kind(perform)) as w:
            [id] = await w.enqueue(job())
            async with w.running():
                await begun.wait()
                async with w.database.transaction() as tx:
                    assert await w.queue.cancel(tx, id)
                await w.until_empty()
            assert ended_well.is_set()

    asyncio.run(story())
