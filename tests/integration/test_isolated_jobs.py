"""Isolated jobs with real horses: every way one can end, and nothing left of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue, Worker
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.rq_horses.client import RqHorses
from ogel.adapters.rq_horses.keys import QUEUE_PREFIX
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.isolation import Isolation
from ogel.runtime.jobs.job import Finished, NewJob
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.runner import RunnerOptions
from ogel.runtime.jobs.store import JobQueue
from tests.support.isolated import is_running, lives, parent_of
from tests.support.jobs import QUEUE, World, world

LIMIT_SECONDS = 30.0
AT_ONCE = RetryPolicy.doubling(first_seconds=0.01, cap_seconds=0.02)


def kind(
    function: str, *, seconds: float = 20.0, cpu_seconds: int = 10, megabytes: int = 256, **options: Any
) -> JobKind:
    isolation = Isolation(f"tests.support.isolated:{function}", megabytes, cpu_seconds)
    name = options.pop("name", f"trial.{function}")
    options = {"backoff": AT_ONCE, "max_attempts": 1, "timeout_seconds": seconds, **options}
    return JobKind(name, QUEUE, isolated=isolation, **options)


@asynccontextmanager
async def stable(
    database_url: str, redis_url: str, *kinds: JobKind, at_once: int = 1, remote_shutdown: bool = True
) -> AsyncIterator[tuple[World, RqHorses]]:
    horses = RqHorses(redis_url, kinds, at_once, remote_shutdown)
    try:
        async with world(database_url, *kinds, isolator=horses) as w:
            yield w, horses
    finally:
        await horses.close()


def places(count: int) -> RunnerOptions:
    return RunnerOptions(in_flight=count, lease_seconds=3.0, busy_poll_seconds=0.1)


class Values:
    """A `record` that keeps what jobs returned."""

    def __init__(self) -> None:
        self.of: dict[str, Any] = {}

    async def record(self, _: Transaction, results: Sequence[Finished]) -> None:
        self.of.update({finished.job.id: finished.outcome.value for finished in results})


@pytest.fixture
def store(redis_url: str) -> redis.Redis:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


async def until(ask: Callable[[], Any], seconds: float = LIMIT_SECONDS) -> Any:
    async with asyncio.timeout(seconds):
        while not (answer := ask()):
            await asyncio.sleep(0.01)
    return answer


def test_what_it_returns_is_its_value_and_nothing_of_it_stays(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    values = Values()

    async def story() -> None:
        kinds = [
            kind("echo", record=values.record),
            kind("surroundings", record=values.record),
            kind("leave_a_child", record=values.record),
        ]
        async with stable(database_url, redis_url, *kinds) as (w, _):
            payload = {"n": 1, "text": "grüße\n\\u0000", "none": None}
            ids = await w.enqueue(
                NewJob("trial.echo", payload), *(NewJob(kind.name, {}) for kind in kinds[1:])
            )
            async with w.running(places(1)):
                await w.until_empty(LIMIT_SECONDS)
            assert values.of[ids[0]] == payload
            seen = values.of[ids[1]]
            assert (seen["input"], seen["threads"]) == ("", 1)
            settings = ("DATABASE_URL", "REDIS_URL", "OGEL_", "PYTEST")
            assert not [name for name in seen["environment"] if name.startswith(settings)]
            await until(lambda: not is_running(values.of[ids[2]]))
        assert store.keys("*") == []

    asyncio.run(story())


ENDINGS = {
    "fails": (kind("fail"), {}, "ValueError: no \\0 luck ?"),
    "exits": (kind("leave"), {}, "its process ended without an answer (exit code 3)"),
    "exits politely": (kind("exit_politely"), {}, "SystemExit: enough"),
    "killed": (
        kind("shoot_itself", name="trial.killed"),
        {"signal": "SIGKILL"},
        "its process was killed by SIGKILL, as the system does when memory runs out",
    ),
    "crashes": (
        kind("shoot_itself", name="trial.crashes"),
        {"signal": "SIGSEGV"},
        "its process was killed by SIGSEGV",
    ),
    "memory": (kind("take_memory"), {}, "needed more than 256 MB of memory"),
    "creeping memory": (kind("creep", megabytes=80), {}, "needed more than 80 MB of memory"),
    "processor": (kind("take_processor", cpu_seconds=1), {}, "used up its 1 s of processor time"),
    "processor, stubborn": (
        kind("take_processor_stubbornly", cpu_seconds=1),
        {},
        "used up its 1 s of processor time",
    ),
    "time": (kind("take_time", seconds=0.3), {}, "not finished within 0.3 s"),
    "not JSON": (
        kind("answer_with", name="trial.set"),
        {"what": "set"},
        "TypeError: Object of type set is not JSON serializable",
    ),
    "no number": (
        kind("answer_with", name="trial.nan"),
        {"what": "nan"},
        "ValueError: Out of range float values are not JSON compliant",
    ),
    "not storable": (
        kind("answer_with", name="trial.nul"),
        {"what": "nul"},
        "ValueError: its result has a NUL character, which cannot be stored",
    ),
    "too much": (
        kind("answer_with", name="trial.large"),
        {"what": "large"},
        "its result is larger than 65536 bytes",
    ),
    "unknown": (
        kind("nothing"),
        {},
        "AttributeError: module 'tests.support.isolated' has no attribute 'nothing'",
    ),
}


def test_every_other_end_is_a_retry_with_its_reason(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    async def story() -> None:
        kinds = [kind for kind, _, _ in ENDINGS.values()]
        async with stable(database_url, redis_url, *kinds, at_once=2) as (w, _):
            ids = await w.enqueue(*(NewJob(kind.name, payload) for kind, payload, _ in ENDINGS.values()))
            async with w.running(places(2)):
                rows = await w.until(lambda rows: all(row["status"] == "dead" for row in rows), LIMIT_SECONDS)
        errors = {row["id"]: row["last_error"] for row in rows}
        assert {name: errors[id] for name, id in zip(ENDINGS, ids, strict=True)} == {
            name: error for name, (_, _, error) in ENDINGS.items()
        }
        assert store.keys("*") == []

    asyncio.run(story())


def test_attempts_end_in_a_dead_job(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("fail", max_attempts=2)) as (w, _):
            await w.enqueue(NewJob("trial.fail", {}))
            async with w.running(places(1)):
                [row] = await w.until(lambda rows: rows[0]["status"] == "dead", LIMIT_SECONDS)
        assert row["attempts"] == 2

    asyncio.run(story())


def test_two_at_once_and_no_more(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold"), at_once=2) as (w, _):
            payload = {"directory": str(tmp_path), "seconds": 0.5}
            await w.enqueue(*(NewJob("trial.hold", payload) for _ in range(5)))
            async with w.running(places(5)):  # the bound holds whatever the runner takes
                await w.until_empty(LIMIT_SECONDS)
        spans = lives(tmp_path).values()
        assert len(spans) == 5
        at_once = [sum(began <= moment <= seen for began, seen in spans) for moment, _ in spans]
        assert max(at_once) == 2

    asyncio.run(story())


def test_it_is_seen_and_ended_through_rq(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold", max_attempts=8)) as (w, _):
            [id] = await w.enqueue(NewJob("trial.hold", {"directory": str(tmp_path)}))
            with redis.Redis.from_url(redis_url) as connection:
                async with w.running(places(1)):
                    await until(lambda: lives(tmp_path))
                    [worker] = Worker.all(connection)
                    assert worker.name.startswith(QUEUE_PREFIX)
                    assert worker.get_state() == "busy"
                    assert worker.get_current_job_id() == f"{id}-1"
                    send_stop_job_command(connection, f"{id}-1")
                    await w.until(lambda rows: rows[0]["attempts"] == 2, LIMIT_SECONDS)
                    await until(lambda: len(lives(tmp_path)) == 2)
                    [row] = await w.rows()
                    assert row["last_error"] == "its process was killed by a command given through RQ"
                    send_kill_horse_command(connection, worker.name)
                    await until(lambda: len(lives(tmp_path)) == 3)
                    assert len(Worker.all(connection)) == 1
                    (tmp_path / "end").touch()
                    await w.until_empty(LIMIT_SECONDS)

    asyncio.run(story())


def test_a_drain_that_runs_out_ends_the_horse_first(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold")) as (w, _):
            await w.enqueue(NewJob("trial.hold", {"directory": str(tmp_path)}))
            async with w.running(places(1), drain_seconds=0.1):
                [pid] = await until(lambda: lives(tmp_path))
            assert not is_running(pid)
            [row] = await w.rows()
            assert row["attempts"] == 0

    asyncio.run(story())


def test_a_cancelled_job_loses_its_horse_and_a_result_is_kept(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold"), kind("echo")) as (w, _):
            [held] = await w.enqueue(NewJob("trial.hold", {"directory": str(tmp_path)}))
            async with w.running(places(1)):
                [pid] = await until(lambda: lives(tmp_path))
                async with w.database.transaction() as tx:
                    assert await w.queue.cancel(tx, held)
                await w.until_empty(LIMIT_SECONDS)
                assert not is_running(pid)
                [echoed] = await w.enqueue(NewJob("trial.echo", {"n": 1}, keep_result_seconds=60))
                await w.until_empty(LIMIT_SECONDS)
            async with w.database.autocommit() as tx:
                [kept] = await tx.dicts(b"SELECT id, status, result FROM job_results")
        assert kept == {"id": echoed, "status": "done", "result": {"n": 1}}

    asyncio.run(story())


def test_a_helper_that_is_killed_takes_its_horse_along(
    database_url: str, redis_url: str, tmp_path: Path, store: redis.Redis
) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold", max_attempts=8)) as (w, _):
            await w.enqueue(NewJob("trial.hold", {"directory": str(tmp_path)}))
            async with w.running(places(1)):
                [pid] = await until(lambda: lives(tmp_path))
                os.kill(parent_of(pid), signal.SIGKILL)
                await until(lambda: len(lives(tmp_path)) == 2)
                assert not is_running(pid)
                first, second = sorted(lives(tmp_path).values())
                assert first[1] < second[0]
                [row] = await w.rows()
                assert (row["attempts"], row["last_error"]) == (2, "its helper process died")
                (tmp_path / "end").touch()
                await w.until_empty(LIMIT_SECONDS)
        assert store.keys("*") == []

    asyncio.run(story())


def test_an_idle_helper_that_is_killed_costs_no_attempt(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    values = Values()

    async def story() -> None:
        async with (
            stable(database_url, redis_url, kind("echo", record=values.record)) as (
                w,
                _,
            ),
            w.running(places(1)),
        ):
            for n in range(3):
                [id] = await w.enqueue(NewJob("trial.echo", {"n": n}))
                await w.until_empty(LIMIT_SECONDS)
                assert values.of[id] == {"n": n}
                with redis.Redis.from_url(redis_url) as connection:
                    [worker] = Worker.all(connection)
                os.kill(worker.pid, signal.SIGKILL)

    asyncio.run(story())


def test_a_horse_that_is_killed_is_tried_again(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with stable(database_url, redis_url, kind("hold", max_attempts=8)) as (w, _):
            await w.enqueue(NewJob("trial.hold", {"directory": str(tmp_path)}))
            async with w.running(places(1)):
                [pid] = await until(lambda: lives(tmp_path))
                helper = parent_of(pid)
                os.kill(pid, signal.SIGKILL)
                [_, again] = await until(lambda: len(lives(tmp_path)) == 2 and sorted(lives(tmp_path)))
                assert parent_of(again if again != pid else _) == helper
                (tmp_path / "end").touch()
                await w.until_empty(LIMIT_SECONDS)

    asyncio.run(story())


def test_without_redis_it_waits_and_an_answer_needs_none(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        data, notes = tmp_path / "servers", tmp_path / "notes"
        notes.mkdir()
        with EmbeddedServers.start(data, postgres=False) as servers:
            redis_url = servers.redis_url
            assert redis_url is not None
            horses = RqHorses(redis_url, kinds := [kind("hold")], 1)
            async with world(database_url, *kinds, isolator=horses) as w:
                await w.enqueue(NewJob("trial.hold", {"directory": str(notes), "seconds": 1.0}))
                running = w.running(places(1))
                await running.__aenter__()
                await until(lambda: lives(notes))
                with redis.Redis.from_url(redis_url) as connection:
                    connection.shutdown(nosave=True, now=True)
                await w.until_empty(LIMIT_SECONDS)
                assert len(lives(notes)) == 1
                await w.enqueue(NewJob("trial.hold", {"directory": str(notes)}))
                [row] = await w.until(lambda rows: rows[0]["last_error"], LIMIT_SECONDS)
                assert (row["attempts"], row["status"]) == (0, "pending")
                assert len(lives(notes)) == 1
                await running.__aexit__(None, None, None)
            await horses.close()

    asyncio.run(story())


def test_a_flushed_redis_is_told_of_the_helper_again(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    async def story() -> None:
        async with (
            stable(database_url, redis_url, kind("echo")) as (w, _),
            w.running(places(1)),
        ):
            for _ in range(2):
                store.flushall()
                await w.enqueue(NewJob("trial.echo", {}))
                await w.until_empty(LIMIT_SECONDS)
            await until(lambda: store.smembers("rq:workers"))

    asyncio.run(story())


@pytest.mark.parametrize("allowed", [True, False])
def test_a_remote_shutdown_of_a_helper_can_be_switched_off(
    database_url: str, redis_url: str, store: redis.Redis, allowed: bool
) -> None:
    async def story() -> None:
        async with (
            stable(database_url, redis_url, kind("echo"), remote_shutdown=allowed) as (w, horses),
            w.running(places(1)),
        ):
            await w.enqueue(NewJob("trial.echo", {}))
            await w.until_empty(LIMIT_SECONDS)
            [helper] = horses._idle
            send_shutdown_command(store, helper.queue.name)
            if allowed:
                await until(lambda: not helper.is_alive)
            await w.enqueue(NewJob("trial.echo", {}))
            await w.until_empty(LIMIT_SECONDS)
            assert (horses._idle == [helper]) is not allowed

    asyncio.run(story())


def test_an_order_that_is_put_there_again_is_not_performed_again(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async def story() -> None:
        payload = {"directory": str(tmp_path), "seconds": 0.3}
        async with (
            stable(database_url, redis_url, kind("hold")) as (w, _),
            w.running(places(1)),
        ):
            with redis.Redis.from_url(redis_url) as raw:
                await w.enqueue(NewJob("trial.hold", payload))
                await until(lambda: lives(tmp_path))
                [key] = raw.keys("rq:job:*")
                seen, [helper] = raw.hgetall(key), raw.smembers("rq:workers")
                await w.until_empty(LIMIT_SECONDS)
                raw.hset(key, mapping=seen)
                raw.rpush(helper.replace(b"rq:worker:", b"rq:queue:"), key.removeprefix(b"rq:job:"))
                await w.enqueue(NewJob("trial.hold", payload))
                await w.until_empty(LIMIT_SECONDS)
            assert len(lives(tmp_path)) == 2

    asyncio.run(story())


def test_what_dead_helpers_left_is_forgotten_and_the_living_are_left_alone(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        Queue(f"{QUEUE_PREFIX}gone", connection=connection).enqueue("nobody.performs", job_id="lost")
        Queue("another", connection=connection).enqueue("someone.performs", job_id="kept")
        connection.hset(f"rq:worker:{QUEUE_PREFIX}alive", "state", "busy")
        Queue(f"{QUEUE_PREFIX}alive", connection=connection).enqueue("someone.performs", job_id="running")

    async def story() -> None:
        async with stable(database_url, redis_url, kind("echo")) as (w, _):
            await w.enqueue(NewJob("trial.echo", {}))
            async with w.running(places(1)):
                await w.until_empty(LIMIT_SECONDS)

    asyncio.run(story())
    assert not store.exists(f"rq:queue:{QUEUE_PREFIX}gone", "rq:job:lost")
    assert store.exists("rq:job:kept", "rq:queue:another", "rq:job:running") == 3
    assert store.smembers("rq:queues") == {"rq:queue:another", f"rq:queue:{QUEUE_PREFIX}alive"}


def test_isolated_kinds_share_no_queue_with_others() -> None:
    async def perform(*_: object) -> None: ...

    with pytest.raises(ValueError, match="trial"):
        JobQueue().know([kind("echo"), JobKind("trial.other", QUEUE, perform)])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Isolation("tests.support.isolated"),
        lambda: Isolation("tests.support.isolated:echo", memory_megabytes=10),
        lambda: Isolation("tests.support.isolated:echo", cpu_seconds=0),
        lambda: JobKind("trial.neither", QUEUE),
        lambda: kind("echo", timeout_seconds=None),
    ],
)
def test_what_cannot_be_performed_is_refused_when_declared(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        wrong()
