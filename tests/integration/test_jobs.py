"""The job runtime on a real database: claim, perform, retry, bury, give back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import DatabaseAway, Transaction
from ogel.runtime.jobs import runner as runner_module
from ogel.runtime.jobs.endings import EndingStore
from ogel.runtime.jobs.job import REPLAY, RETRY, Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import LeaseStore
from ogel.runtime.jobs.performing import LOST_WORKER
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.secrets.scrub import Scrubber
from tests.support.jobs import QUEUE, World, world

AT_ONCE = RetryPolicy.doubling(first_seconds=0.01, cap_seconds=0.02)


def kind(perform: Any, name: str = "trial.do", **options: Any) -> JobKind:
    return JobKind(name, QUEUE, perform, **{"backoff": AT_ONCE, **options})


class Log:
    """A perform that remembers what it did."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.attempts: list[int] = []

    async def __call__(self, job: Job, _: Any) -> None:
        self.payloads.append(job.payload["n"])
        self.attempts.append(job.attempts)


def test_each_job_is_performed_once_and_leaves(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            await w.enqueue(*(NewJob("trial.do", {"n": n}) for n in range(1000)))
            async with w.running():
                await w.until_empty()
        assert Counter(log.payloads) == Counter(range(1000))

    asyncio.run(story())


def test_two_runners_share_without_doubles(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            await w.enqueue(*(NewJob("trial.do", {"n": n}) for n in range(1000)))
            async with w.running(), w.running():
                await w.until_empty()
        assert Counter(log.payloads) == Counter(range(1000))

    asyncio.run(story())


def test_a_rolled_back_transaction_leaves_no_job(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind(Log())) as w:
            with pytest.raises(RuntimeError):
                async with w.database.transaction() as tx:
                    await w.queue.enqueue(tx, [NewJob("trial.do", {"n": 1})])
                    raise RuntimeError
            assert await w.rows() == []

    asyncio.run(story())


def test_lower_lanes_first_and_older_before_younger(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        now = utc_now()
        async with world(database_url, kind(log)) as w:
            await w.enqueue(
                NewJob("trial.do", {"n": "replay"}, priority=REPLAY, scheduled_at=now - timedelta(hours=3)),
                NewJob("trial.do", {"n": "retry"}, priority=RETRY, scheduled_at=now - timedelta(hours=2)),
                NewJob("trial.do", {"n": "young"}, scheduled_at=now - timedelta(minutes=1)),
                NewJob("trial.do", {"n": "old"}, scheduled_at=now - timedelta(hours=1)),
            )
            async with w.running(RunnerOptions(in_flight=1, batch=1)):
                await w.until_empty()
        assert log.payloads == ["old", "young", "retry", "replay"]

    asyncio.run(story())


def test_what_a_failing_job_says_holds_no_secret_of_ours(database_url: str) -> None:
    async def story() -> None:
        async def fail(job: Job, _: Any) -> None:
            raise ValueError(f"cannot use redis://:hunter2-h%75nter2@h {'x' * 450} hunter2-hunter2")

        async with world(database_url, kind(fail, max_attempts=1)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running(RunnerOptions(scrub=Scrubber(["hunter2-hunter2"]))):
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
                said = str(row["last_error"])
                assert said.startswith("ValueError: cannot use redis://:****@h x") and "hunter" not in said

    asyncio.run(story())


def test_a_failing_job_is_retried_and_then_dead(database_url: str) -> None:
    async def story() -> None:
        attempts = []

        async def fail(job: Job, _: Any) -> None:
            attempts.append((job.attempts, job.priority))
            raise ValueError("no luck")

        async with world(database_url, kind(fail, max_attempts=3)) as w:
            [id] = await w.enqueue(NewJob("trial.do", {}))
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
                assert attempts == [(1, 0), (2, RETRY), (3, RETRY)]
                assert row["last_error"] == "ValueError: no luck"
                assert row["processed_at"] is not None
                async with w.database.transaction() as tx:
                    assert await w.queue.revive(tx, id)
                await w.until(lambda _: len(attempts) == 6)

    asyncio.run(story())


def test_a_postponed_attempt_does_not_count(database_url: str) -> None:
    async def story() -> None:
        attempts: list[int] = []

        async def busy(job: Job, _: Any) -> Outcome | None:
            attempts.append(job.attempts)
            return Outcome("postpone", "not now", after_seconds=0.01) if len(attempts) < 10 else None

        async with world(database_url, kind(busy, max_attempts=2)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running():
                await w.until_empty()
        assert attempts == [1] * 10

    asyncio.run(story())


def test_a_job_that_takes_too_long_is_retried(database_url: str) -> None:
    async def story() -> None:
        async def hang(job: Job, _: Any) -> None:
            await asyncio.sleep(60)

        async with world(database_url, kind(hang, max_attempts=1, timeout_seconds=0.05)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
        assert row["last_error"] == "not finished within 0.05 s"

    asyncio.run(story())


def test_a_key_never_has_more_in_flight_than_its_limit(database_url: str) -> None:
    async def story() -> None:
        now_running: Counter[str] = Counter()
        most: Counter[str] = Counter()

        async def perform(job: Job, _: Any) -> None:
            now_running[job.key] += 1
            most[job.key] = max(most[job.key], now_running[job.key])
            await asyncio.sleep(0.002)
            now_running[job.key] -= 1

        async with world(database_url, kind(perform)) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "narrow", limit=3)
                await w.keys.set(tx, "wide", limit=20)
            jobs = [NewJob("trial.do", {}, key="narrow") for _ in range(60)]
            jobs += [NewJob("trial.do", {}, key="wide") for _ in range(60)]
            await w.enqueue(*jobs)
            async with w.running(RunnerOptions(in_flight=50, batch=40)):
                await w.until_empty()
        assert most["narrow"] == 3
        assert 3 < most["wide"] <= 20

    asyncio.run(story())


def test_a_full_key_does_not_hold_up_the_others(database_url: str) -> None:
    async def story() -> None:
        hanging = asyncio.Event()
        others = Log()

        async def perform(job: Job, loaded: Any) -> None:
            if job.key == "hangs":
                await hanging.wait()
            else:
                await others(job, loaded)

        async with world(database_url, kind(perform)) as w:
            await w.enqueue(*(NewJob("trial.do", {}, key="hangs") for _ in range(500)))
            async with w.running(RunnerOptions(in_flight=50, batch=50)):
                await w.enqueue(*(NewJob("trial.do", {"n": n}, key=f"key{n}") for n in range(20)))
                await w.until(lambda _: len(others.payloads) == 20)
                hanging.set()
                await w.until_empty()

    asyncio.run(story())


@pytest.fixture
def hardly_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits out the spacing of claims waits longer than any test."""
    monkeypatch.setattr(runner_module, "SPACING_SECONDS", 60.0)
    monkeypatch.setattr(runner_module, "SPACING_AFTER_MANY_SECONDS", 60.0)


@pytest.mark.usefixtures("hardly_spaced")
def test_a_lone_job_is_claimed_at_once(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w, w.running():
            for n in range(5):
                await w.enqueue(NewJob("trial.do", {"n": n}))
                await w.until_empty()
        assert log.payloads == [0, 1, 2, 3, 4]

    asyncio.run(story())


@pytest.mark.usefixtures("hardly_spaced")
def test_freed_places_are_filled_before_the_next_claim_is_due(database_url: str) -> None:
    """One endpoint's backlog: as many at once as it may have, all the time."""

    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "backlog", limit=8)
            await w.enqueue(*(NewJob("trial.do", {"n": n}, key="backlog") for n in range(200)))
            async with w.running():
                await w.until_empty()
        assert Counter(log.payloads) == Counter(range(200))

    asyncio.run(story())


def test_a_dead_workers_job_is_taken_over_when_its_lease_ends(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            # A worker that claims and is never heard of again.
            await LeaseStore(w.database, QUEUE, lease_seconds=0.3).claim(10)
            async with w.running():
                await w.until_empty()
        assert log.attempts == [2]

    asyncio.run(story())


def test_a_job_that_kills_its_workers_ends_as_dead(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log, max_attempts=2)) as w:
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            doomed = LeaseStore(w.database, QUEUE, lease_seconds=0.0)
            for _ in range(2):
                await doomed.claim(10)
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
        assert row["last_error"] == LOST_WORKER
        assert log.attempts == []

    asyncio.run(story())


def test_a_late_result_of_a_lost_lease_is_refused(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind(Log())) as w:
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            slow = LeaseStore(w.database, QUEUE, lease_seconds=0.0)
            claimed = await slow.claim(1)
            taken_over = await LeaseStore(w.database, QUEUE, lease_seconds=60).claim(1)
            assert [job.id for job in taken_over.jobs] == [job.id for job in claimed.jobs]
            done = [Finished(job, Outcome("done"), None) for job in claimed.jobs]
            assert await EndingStore(w.database).write(done, {}) == 1
            [row] = await w.rows()
            assert row["lease_id"] == taken_over.jobs[0].lease_id

    asyncio.run(story())


def test_leases_of_long_jobs_are_renewed(database_url: str) -> None:
    async def story() -> None:
        attempts: list[int] = []

        async def slow(job: Job, _: Any) -> None:
            attempts.append(job.attempts)
            await asyncio.sleep(2.5)

        async with world(database_url, kind(slow)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            options = RunnerOptions(lease_seconds=1.0, busy_poll_seconds=0.05, idle_poll_seconds=0.05)
            async with w.running(options), w.running(options):
                await w.until_empty()
        assert attempts == [1]

    asyncio.run(story())


def test_a_runner_whose_renewals_fail_does_not_claim_its_own_jobs(database_url: str) -> None:
    async def story() -> None:
        attempts: list[int] = []

        async def slow(job: Job, _: Any) -> None:
            attempts.append(job.attempts)
            await asyncio.sleep(1.0)

        async with world(database_url, kind(slow, max_attempts=3)) as w:
            await w.enqueue(NewJob("trial.do", {}, key="k"))
            options = RunnerOptions(lease_seconds=0.2, busy_poll_seconds=0.02, idle_poll_seconds=0.02)
            async with w.running(options) as runner:
                runner._leases.renew = away  # type: ignore[method-assign]
                await w.until_empty()
        assert attempts == [1]

    asyncio.run(story())


def test_a_runner_that_stood_still_leaves_what_others_took_over(database_url: str) -> None:
    async def story() -> None:
        begun, stopped = asyncio.Event(), asyncio.Event()

        async def slow(job: Job, _: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        async with world(database_url, kind(slow)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running(RunnerOptions(lease_seconds=0.6)) as runner:
                await begun.wait()
                renew, runner._leases.renew = runner._leases.renew, away  # type: ignore[method-assign]
                runner.suspend(True)  # a runner that stands still does not claim either
                [taken] = await claimed_at_last(w)
                runner._leases.renew = renew  # type: ignore[method-assign]
                async with asyncio.timeout(10):
                    await stopped.wait()
                [row] = await w.rows()
                assert (row["status"], row["lease_id"]) == ("running", taken.lease_id)

    asyncio.run(story())


@pytest.mark.parametrize("cancellable", [True, False])
def test_a_runner_that_claims_its_own_job_again_goes_on_with_one(
    database_url: str, cancellable: bool
) -> None:
    """It stood still between its look at the clock and the claim, for longer than the lease."""

    async def story() -> None:
        ends = [asyncio.Event(), asyncio.Event()]
        begun: list[int] = []
        stopped: list[int] = []
        told: list[tuple[str, int]] = []

        async def slow(job: Job, _: Any) -> None:
            begun.append(job.attempts)
            try:
                await ends[job.attempts - 1].wait()
            except asyncio.CancelledError:
                stopped.append(job.attempts)
                raise

        async def record(_: Transaction, finished: Sequence[Finished]) -> None:
            told.extend(("record", each.job.attempts) for each in finished)

        async def late(_: Transaction, finished: Sequence[Finished]) -> None:
            told.extend(("late", each.job.attempts) for each in finished)

        trial = kind(slow, cancellable=cancellable, record=record, late=late)
        async with world(database_url, trial) as w:
            await w.enqueue(NewJob("trial.do", {}, key="k"))
            async with w.running() as runner:
                await until(lambda: begun == [1])
                former = list(runner._performer.held.values())
                async with w.database.autocommit() as tx:
                    await tx.execute(b"UPDATE job_queue SET leased_until = now() - interval '1 s'")
                runner.wake()
                await until(lambda: begun == [1, 2])
                # A renewal that was under way finds the former's lease lost; that is not the present one's.
                await runner._tender.leave_lost(former)
                if cancellable:
                    await until(lambda: told == [("late", 1)])
                    assert stopped == [1]
                else:
                    assert places(runner) == (2, 1, 2)
                    ends[0].set()
                    await until(lambda: told == [("late", 1)])
                # The former's end does not free the place of the present one, nor forget the job.
                assert places(runner) == (1, 1, 1)
                ends[1].set()
                await w.until_empty()
                await until(lambda: places(runner) == (0, 0, 0))
            assert told == [("late", 1), ("record", 2)]

    asyncio.run(story())


def test_two_claims_of_a_job_that_end_at_once_are_told_apart(database_url: str) -> None:
    """Their results are written together."""

    async def story() -> None:
        ends, begun = asyncio.Event(), Log()
        told: list[tuple[str, int]] = []

        async def slow(job: Job, _: Any) -> Outcome | None:
            await begun(job, _)
            await ends.wait()
            return Outcome("retry", "once more", after_seconds=0.0) if job.attempts == 2 else None

        async def record(_: Transaction, finished: Sequence[Finished]) -> None:
            told.extend(("record", each.job.attempts) for each in finished)

        async def late(_: Transaction, finished: Sequence[Finished]) -> None:
            told.extend(("late", each.job.attempts) for each in finished)

        async with world(database_url, kind(slow, cancellable=False, record=record, late=late)) as w:
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            async with w.running() as runner:
                await until(lambda: begun.attempts == [1])
                async with w.database.autocommit() as tx:
                    await tx.execute(b"UPDATE job_queue SET leased_until = now() - interval '1 s'")
                runner.wake()
                await until(lambda: begun.attempts == [1, 2])
                ends.set()
                await w.until_empty()
            assert sorted(told) == [("late", 1), ("record", 2), ("record", 3)]

    asyncio.run(story())


def test_a_runner_that_stops_ends_what_it_claimed_twice(database_url: str) -> None:
    async def story() -> None:
        running: list[int] = []

        async def deaf(job: Job, _: Any) -> None:
            running.append(job.attempts)
            try:
                await asyncio.Event().wait()
            finally:
                running.remove(job.attempts)

        async with world(database_url, kind(deaf, cancellable=False)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running(drain_seconds=0.1) as runner:
                await until(lambda: running == [1])
                async with w.database.autocommit() as tx:
                    await tx.execute(b"UPDATE job_queue SET leased_until = now() - interval '1 s'")
                runner.wake()
                await until(lambda: running == [1, 2])
            assert running == []

    asyncio.run(story())


def places(runner: JobRunner) -> tuple[int, int, int]:
    """In use, held, and in use under the key `k`."""
    shares = runner._shares.divided(asyncio.get_running_loop().time()).shares
    busy = sum(share.busy for share in shares if share.key == "k")
    return runner._performer.unfinished, len(runner._performer.held), busy


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not so():
            await asyncio.sleep(0.01)


async def away(jobs: Sequence[Job]) -> None:
    raise DatabaseAway("not now")


async def claimed_at_last(w: World) -> Sequence[Job]:
    """By another worker, once the lease of the first is over."""
    other = LeaseStore(w.database, QUEUE, lease_seconds=60)
    async with asyncio.timeout(10):
        while not (jobs := (await other.claim(10)).jobs):
            await asyncio.sleep(0.05)
    return jobs


def test_what_one_job_breaks_in_load_the_others_do_not_pay_for(database_url: str) -> None:
    async def story() -> None:
        performed = []

        async def load(tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, Any]:
            return {job.id: job.payload["n"] for job in jobs}

        async def perform(job: Job, loaded: Any) -> None:
            performed.append(loaded)

        async with world(database_url, kind(perform, load=load, max_attempts=1)) as w:
            await w.enqueue(
                NewJob("trial.do", {"wrong": 1}), *(NewJob("trial.do", {"n": n}) for n in range(20))
            )
            async with w.running():
                [row] = await w.until(lambda rows: len(rows) == 1 and rows[0]["status"] == "dead")
        assert row["payload"] == {"wrong": 1}
        assert sorted(performed) == list(range(20))

    asyncio.run(story())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), TimeoutError()])
def test_a_perform_that_ends_oddly_is_a_failed_attempt(database_url: str, error: BaseException) -> None:
    async def story() -> None:
        async def perform(job: Job, _: Any) -> None:
            raise error

        async with world(database_url, kind(perform, max_attempts=2, timeout_seconds=None)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead")
        assert row["attempts"] == 2

    asyncio.run(story())


def test_what_load_leaves_out_is_done_and_what_it_cannot_read_is_retried(database_url: str) -> None:
    async def story() -> None:
        performed = []
        loads = 0

        async def load(tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, Any]:
            nonlocal loads
            loads += 1
            if loads == 1:
                raise KeyError("a bug of ours")
            return {job.id: job.payload["n"] * 10 for job in jobs if job.payload["n"] != 2}

        async def perform(job: Job, loaded: Any) -> None:
            performed.append(loaded)

        async with world(database_url, kind(perform, load=load)) as w:
            await w.enqueue(*(NewJob("trial.do", {"n": n}) for n in (1, 2, 3)))
            async with w.running():
                await w.until_empty()
        assert sorted(performed) == [10, 30]

    asyncio.run(story())


def test_one_result_that_cannot_be_written_does_not_hold_back_the_others(database_url: str) -> None:
    async def story() -> None:
        recorded = []

        async def perform(job: Job, _: Any) -> Outcome:
            return Outcome("done", value="\x00" if job.payload["n"] == 3 else "fine")

        async def record(tx: Transaction, finished: Sequence[Finished]) -> None:
            for each in finished:
                await tx.execute(b"SELECT %(v)s::text", {"v": each.outcome.value})  # NUL: refused by Postgres
            # The one that is buried in the end comes without its value.
            recorded.extend(each.job.payload["n"] for each in finished if each.outcome.value)

        async with world(database_url, kind(perform, record=record)) as w:
            await w.enqueue(*(NewJob("trial.do", {"n": n}) for n in range(6)))
            async with w.running():
                [row] = await w.until(lambda rows: len(rows) == 1 and rows[0]["status"] == "dead")
        assert row["payload"] == {"n": 3}
        assert sorted(recorded) == [0, 1, 2, 4, 5]

    asyncio.run(story())


def test_a_result_that_meets_a_lock_is_written_once_the_lock_is_gone(database_url: str) -> None:
    async def story() -> None:
        locked, refused = asyncio.Event(), asyncio.Event()

        async def perform(job: Job, _: Any) -> None:
            await locked.wait()

        async def record(tx: Transaction, finished: Sequence[Finished]) -> None:
            try:
                await tx.execute(b"LOCK TABLE schedules NOWAIT")
            except psycopg.errors.LockNotAvailable:
                refused.set()
                raise

        async with world(database_url, kind(perform, record=record)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running():
                async with w.database.transaction() as tx:
                    await tx.execute(b"LOCK TABLE schedules")
                    locked.set()
                    await asyncio.wait_for(refused.wait(), 10)
                    assert [row["status"] for row in await w.rows()] == ["running"]
                await w.until_empty()

    asyncio.run(story())


def test_a_kind_nobody_knows_waits_for_a_worker_that_does(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            w.kinds = [kind(Log(), name="trial.other")]
            async with w.running():
                [row] = await w.until(lambda rows: rows[0]["last_error"] is not None)
        assert row["status"] == "pending"
        assert row["attempts"] == 0
        assert "trial.do" in str(row["last_error"])

    asyncio.run(story())


def test_dedupe_keys_are_unique_while_unfinished(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with world(database_url, kind(log)) as w:
            assert len(await w.enqueue(NewJob("trial.do", {"n": 1}, dedupe_key="one"))) == 1
            assert await w.enqueue(NewJob("trial.do", {"n": 2}, dedupe_key="one")) == []
            async with w.running():
                await w.until_empty()
                assert len(await w.enqueue(NewJob("trial.do", {"n": 3}, dedupe_key="one"))) == 1
                await w.until_empty()
        assert log.payloads == [1, 3]

    asyncio.run(story())


def test_a_suspended_runner_claims_nothing(database_url: str) -> None:
    async def story() -> None:
        log = Log()
        async with (
            world(database_url, kind(log)) as w,
            w.running(RunnerOptions(busy_poll_seconds=0.01)) as runner,
        ):
            runner.suspend(True)
            claims = runner._leases.claim
            asked = 0

            async def counted(*arguments: Any) -> Any:
                nonlocal asked
                asked += 1
                return await claims(*arguments)

            runner._leases.claim = counted  # type: ignore[method-assign]
            await w.enqueue(NewJob("trial.do", {"n": 1}))
            assert runner.wake() is False
            for _ in range(30):  # polls
                await asyncio.sleep(0.01)
            assert asked == 0
            runner.suspend(False)
            await w.until_empty()
        assert log.payloads == [1]

    asyncio.run(story())


def test_a_delayed_job_runs_when_it_is_due_without_a_bell(database_url: str) -> None:
    async def story() -> None:
        ran_at = []

        async def perform(job: Job, _: Any) -> None:
            ran_at.append(utc_now())

        async with world(database_url, kind(perform)) as w:
            due = utc_now() + timedelta(seconds=0.5)
            async with w.running(RunnerOptions(busy_poll_seconds=30, idle_poll_seconds=30)):
                await w.enqueue(NewJob("trial.do", {}, scheduled_at=due))
                await w.until_empty()
        assert due <= ran_at[0]

    asyncio.run(story())


def test_a_runner_that_is_stopped_between_two_claims_waits_for_no_poll(database_url: str) -> None:
    async def story() -> None:
        async with (
            world(database_url, kind(Log())) as w,
            w.running(RunnerOptions(busy_poll_seconds=60, idle_poll_seconds=60), drain_seconds=0),
        ):
            await asyncio.sleep(0)  # it begins, and keeps its distance to the first claim

    asyncio.run(story())


def test_stopping_gives_back_what_does_not_end_in_time(database_url: str) -> None:
    async def story() -> None:
        async def hang(job: Job, _: Any) -> None:
            await asyncio.sleep(60)

        async with world(database_url, kind(hang)) as w:
            await w.enqueue(NewJob("trial.do", {}))
            async with w.running(drain_seconds=0.1):
                await w.until(lambda rows: rows[0]["status"] == "running")
            [again] = (await LeaseStore(w.database, QUEUE, lease_seconds=60).claim(1)).jobs
        assert again.attempts == 1
        assert again.lost  # what it had done until then nobody knows

    asyncio.run(story())
