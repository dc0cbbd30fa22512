"""Jobs of events that are published beside their worker: claimed by the statement that writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.patience import USUAL_SECONDS, patience, seconds_left
from ogel.runtime.jobs.job import Job, NewJob
from ogel.runtime.jobs.keys import Rate
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import LeaseStore
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.outbox import Consequences, JobOf, Outbox, Part
from tests.support.jobs import QUEUE, World, world

LIMIT_SECONDS = 20
# What is known stays known for longer than any test.
OPTIONS = RunnerOptions(busy_poll_seconds=60.0, idle_poll_seconds=60.0)


class One(Consequences):
    """A job for each event, as the test says."""

    def __init__(self, events: Sequence[Event], options: dict[str, Any]) -> None:
        self._events = events
        self._options = options

    def parts(self) -> Iterator[Part]:
        yield Part(
            [], [JobOf(event.id, NewJob("trial.do", {"n": 1}, **self._options)) for event in self._events]
        )


class Trial:
    """Publishes into a world, and counts claims that found something there."""

    def __init__(self, w: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.w = w
        self.claimed = 0
        self.outbox = Outbox(w.queue)
        self.performed: asyncio.Queue[Job] = asyncio.Queue()
        self.patience = 0.0
        for name in ("claim", "claim_few"):
            monkeypatch.setattr(LeaseStore, name, self._counted(getattr(LeaseStore, name)))

    def _counted(self, claim: Any) -> Any:
        async def counted(*arguments: Any, **options: Any) -> Any:
            answer = await claim(*arguments, **options)
            self.claimed += 0 if answer is None else len(answer.jobs)
            return answer

        return counted

    async def publish(self, *, fails: bool = False, **options: Any) -> None:
        async def subscriber(_: Transaction, events: Sequence[Event]) -> Consequences:
            return One(events, options)

        async with self.w.database.transaction() as tx:
            event = Event(new_id("evt"), "a.b", b"{}", None, utc_now())
            await self.outbox.publish(tx, [event], to=[subscriber])
            if fails:
                raise ZeroDivisionError

    async def done(self) -> Job:
        return await asyncio.wait_for(self.performed.get(), LIMIT_SECONDS)


@asynccontextmanager
async def trial(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Trial, JobRunner]]:
    made: list[Trial] = []

    async def load(_: Transaction, jobs: Sequence[Job]) -> dict[str, Any]:
        return {job.id: job for job in jobs}

    async def perform(job: Job, loaded: Job) -> None:
        assert loaded is job
        made[0].patience = seconds_left()
        made[0].performed.put_nowait(job)

    async with world(database_url, JobKind("trial.do", QUEUE, perform, load=load)) as w:
        made.append(Trial(w, monkeypatch))
        async with w.running(OPTIONS) as runner:
            # The first is claimed; then the runner knows that nothing waits.
            await w.enqueue(NewJob("trial.do", {"n": 0}))
            await made[0].done()
            await w.until_empty(LIMIT_SECONDS)
            await quiet(runner)
            made[0].claimed = 0
            yield made[0], runner


async def quiet(runner: JobRunner) -> None:
    """Until it has looked for the last time, and waits."""
    async with asyncio.timeout(LIMIT_SECONDS):
        seen = 0
        while seen < 5:
            await asyncio.sleep(0.01)
            seen = seen + 1 if runner._sees_little(asyncio.get_running_loop().time()) else 0


def test_it_is_performed_without_a_claim(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, _):
            async with t.w.database.transaction() as tx:
                await t.w.keys.set(tx, "key", limit=3)
            for options in ({}, {"key": "key"}, {"key": "new"}):
                await t.publish(**options)
                job = await t.done()
                assert (job.attempts, job.payload, job.key) == (1, {"n": 1}, options.get("key", ""))
            await t.w.until_empty(LIMIT_SECONDS)
            assert t.claimed == 0

    asyncio.run(story())


def test_it_is_performed_with_the_patience_of_a_job(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not of the request that published."""

    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, _):
            with patience(7.0):
                await t.publish()
            await t.done()
            assert t.claimed == 0
            assert t.patience == USUAL_SECONDS

    asyncio.run(story())


def test_its_lease_begins_when_it_is_written(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a transaction that has written for longer than that, it would be over when others see it."""

    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, _):
            async with t.w.database.transaction() as tx:
                before = await tx.value(b"SELECT clock_timestamp()")

                async def subscriber(_: Transaction, events: Sequence[Event]) -> Consequences:
                    return One(events, {})

                event = Event(new_id("evt"), "a.b", b"{}", None, utc_now())
                await t.outbox.publish(tx, [event], to=[subscriber])
                leased = await tx.value(b"SELECT leased_until FROM job_queue")
                assert leased >= before + timedelta(seconds=OPTIONS.lease_seconds)
            await t.done()

    asyncio.run(story())


def test_what_was_rolled_back_is_not_performed_and_takes_no_place(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, runner):
            free = runner._room()
            for _ in range(20):  # more than a new key's places
                with pytest.raises(ZeroDivisionError):
                    await t.publish(fails=True, key="key")
            assert runner._room() == free
            assert await t.w.rows() == []
            await t.publish(key="key")
            await t.done()
            await t.w.until_empty(LIMIT_SECONDS)
            assert t.claimed == 0

    asyncio.run(story())


@pytest.mark.parametrize("about", ["held", "slowed", "tripped", "rated", "narrow", "paused"])
def test_what_is_said_of_its_key_or_queue_counts(
    database_url: str, monkeypatch: pytest.MonkeyPatch, about: str
) -> None:
    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, runner):
            async with t.w.database.transaction() as tx:
                await t.w.keys.set(tx, "key", limit=1, rate=Rate(0.001, 1) if about == "rated" else None)
                match about:
                    case "held":
                        await t.w.keys.hold(tx, "key")
                    case "slowed":
                        await t.w.keys.slow(tx, "key", 60.0)
                    case "tripped":
                        await t.w.keys.trip(tx, "key", 60.0)
                    case "paused":
                        await t.w.queue.pause(tx, QUEUE)
            if about == "narrow":
                async with t.w.database.transaction() as tx:
                    await tx.execute(b"UPDATE job_keys SET key_limit = 1")
                await quiet(runner)
                [taken] = [t.w.notifier.promise(QUEUE, [NewJob("trial.do", {}, key="key")])]
                assert taken is not None  # and kept by nobody: the key's one place is taken
            await t.publish(key="key")
            if about == "rated":  # by the claim that spends its rate
                await t.done()
                assert t.claimed == 1
                return
            rows = await t.w.until(lambda rows: rows, LIMIT_SECONDS)
            assert [(row["status"], row["attempts"], row["lease_id"]) for row in rows] == [
                ("pending", 0, None)
            ]
            assert t.performed.empty()

    asyncio.run(story())


@pytest.mark.parametrize(
    "options", [{"order_key": "subject", "key": "key"}, {"scheduled_at": utc_now()}], ids=["ordered", "late"]
)
def test_what_needs_weighing_waits_its_turn(
    database_url: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, _):
            await t.publish(**options)
            await t.done()
            assert t.claimed == 1

    asyncio.run(story())


def test_a_runner_that_is_told_to_stop_takes_nothing_and_gives_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in the moment in which the transaction commits."""

    async def story() -> None:
        async with trial(database_url, monkeypatch) as (t, runner):

            async def subscriber(_: Transaction, events: Sequence[Event]) -> Consequences:
                return One(events, {})

            async with t.w.database.transaction() as tx:
                event = Event(new_id("evt"), "a.b", b"{}", None, utc_now())
                await t.outbox.publish(tx, [event], to=[subscriber])
                runner._stopping = True
            assert t.w.notifier.promise(QUEUE, [NewJob("trial.do", {})]) is None
        [row] = await rows_after(t)
        assert (row["status"], row["attempts"]) == ("pending", 0)
        assert t.performed.empty()

    async def rows_after(t: Trial) -> list[dict[str, object]]:
        async with world(database_url) as again:
            return await again.rows()

    asyncio.run(story())
