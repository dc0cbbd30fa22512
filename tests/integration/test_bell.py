"""RQ as the bell: heard in another process, seen by RQ's own tools, missed by nobody when Redis is away."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from rq import Queue, Worker
from rq.command import send_shutdown_command
from rq.suspension import resume, suspend
from structlog.testing import capture_logs

from ogel.adapters.redis.info import RedisInfo
from ogel.adapters.rq_bell import listener as listener_module
from ogel.adapters.rq_bell import ring as ring_module
from ogel.adapters.rq_bell.listener import ALIVE_SECONDS, LISTEN_SECONDS, BellListener
from ogel.adapters.rq_bell.ring import RqBell, ring_id
from ogel.adapters.rq_commands import obey
from ogel.runtime.jobs.bell import Notifier

QUEUES = ["webhooks", "audit"]
LIMIT_SECONDS = 10
SHORT_LIFE_SECONDS = LISTEN_SECONDS + 1


class Ears:
    """Collects what a listener hears, on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.suspended: asyncio.Queue[bool] = asyncio.Queue()
        self._was = False

    def on_heard(self, queue: str) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, queue)

    def on_suspended(self, suspended: bool) -> None:
        if suspended != self._was:
            self._was = suspended
            self._loop.call_soon_threadsafe(self.suspended.put_nowait, suspended)


@asynccontextmanager
async def listening(redis_url: str, queues: Sequence[str] = QUEUES, **options: Any) -> AsyncIterator[Ears]:
    ears = Ears()
    listener = BellListener(redis_url, queues, ears.on_heard, ears.on_suspended, **options)
    listener.start()
    try:
        yield ears
    finally:
        await listener.stop()


@asynccontextmanager
async def ringing(redis_url: str) -> AsyncIterator[RqBell]:
    bell = RqBell(redis_url)
    task = asyncio.create_task(bell.run())
    try:
        yield bell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bell.close()


async def heard(ears: Ears) -> str:
    return await asyncio.wait_for(ears.heard.get(), LIMIT_SECONDS)


async def until(ask: Callable[[], Any], seconds: float = LIMIT_SECONDS) -> Any:
    async with asyncio.timeout(seconds):
        while not (answer := ask()):
            await asyncio.sleep(0.005)
    return answer


def waiting(client: redis.Redis, queue: str) -> int:
    return Queue(queue, connection=client).count


def test_a_ring_is_heard_and_leaves_nothing_behind(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            for queue in ("webhooks", "audit", "webhooks"):
                bell.ring({queue})
                assert await heard(ears) == queue
        with redis.Redis.from_url(redis_url) as client:
            left = {key.decode() for key in client.keys("rq:*")}
            assert not {key for key in left if key.startswith(("rq:job:", "rq:queue:"))}, left

    asyncio.run(story())


def test_a_lone_ring_waits_for_no_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "SPACING_SECONDS", 60.0)

    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            assert await heard(ears) == "audit"

    asyncio.run(story())


def test_rings_unheard_are_one(redis_url: str) -> None:
    async def story() -> None:
        async with ringing(redis_url) as bell:
            with redis.Redis.from_url(redis_url) as client:
                for _ in range(5):
                    bell.ring({"webhooks"})
                    await until(lambda: waiting(client, "webhooks"))
                assert waiting(client, "webhooks") == 1

    asyncio.run(story())


def test_rq_info_shows_the_worker_and_its_queues(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                [worker] = Worker.all(connection=client)
            assert worker.queue_names() == QUEUES
            info = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "rq.cli", "info", "--url", redis_url, "--raw"],
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert worker.name in info.stdout, info.stderr
        with redis.Redis.from_url(redis_url) as client:
            assert Worker.all(connection=client) == []

    asyncio.run(story())


def test_suspend_and_resume_reach_the_runners(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                suspend(client)
                assert await asyncio.wait_for(ears.suspended.get(), 10) is True
                resume(client)
                assert await asyncio.wait_for(ears.suspended.get(), 10) is False

    asyncio.run(story())


def test_the_listener_survives_a_flush(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                client.flushall()
            bell.ring({"webhooks"})
            assert await heard(ears) == "webhooks"
            with redis.Redis.from_url(redis_url) as client:
                [worker] = await until(lambda: Worker.all(connection=client))
            assert worker.queue_names() == QUEUES

    asyncio.run(story())


@pytest.mark.parametrize("step", ["bootstrap", "_beat", "_hear", "_register_again"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_flush_at_any_step_is_survived_and_what_is_rung_after_it_heard(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    worker_class = listener_module._ListeningWorker
    original, left = getattr(worker_class, step), [step]

    def flush_and_ring() -> None:
        if left:
            left.pop()
            with redis.Redis.from_url(redis_url) as client:
                client.flushall()
                ring_module.send(client, ["webhooks"])

    def interrupted(self: Any, *arguments: Any, **options: Any) -> None:
        if when == "before":
            flush_and_ring()
        original(self, *arguments, **options)
        if when == "after":
            flush_and_ring()

    monkeypatch.setattr(worker_class, step, interrupted)

    async def story() -> None:
        async with listening(redis_url) as ears:
            with redis.Redis.from_url(redis_url) as client:
                await until(lambda: Worker.all(connection=client))
                if step == "_hear":
                    ring_module.send(client, ["audit"])
                if step == "_register_again":
                    client.flushall()
                async with asyncio.timeout(LIMIT_SECONDS):
                    while await heard(ears) != "webhooks":
                        pass
                [worker] = await until(lambda: [w for w in Worker.all(connection=client) if w.birth_date])
            assert worker.queue_names() == QUEUES
        assert not left

    asyncio.run(story())


def test_a_ring_is_heard_however_long_it_waits(redis_url: str) -> None:
    """Its job, which RQ forgets in time, is not what is heard."""

    async def story() -> None:
        async with ringing(redis_url) as bell:
            with redis.Redis.from_url(redis_url) as client:
                bell.ring({"audit"})
                await until(lambda: waiting(client, "audit"))
                assert client.delete(f"rq:job:{ring_id('audit')}") == 1
            async with listening(redis_url) as ears:
                assert await heard(ears) == "audit"

    asyncio.run(story())


def test_a_listener_that_was_killed_while_it_heard_mutes_nobody(redis_url: str) -> None:
    async def story() -> None:
        async with ringing(redis_url) as bell:
            with redis.Redis.from_url(redis_url) as client:
                bell.ring({"audit"})
                await until(lambda: waiting(client, "audit"))
                assert client.lpop("rq:queue:audit") is not None  # and no further
            async with listening(redis_url) as ears:
                bell.ring({"audit"})
                assert await heard(ears) == "audit"

    asyncio.run(story())


def test_what_a_stopping_listener_hears_is_for_another(redis_url: str) -> None:
    async def story() -> None:
        ears = Ears()
        stopping = BellListener(redis_url, QUEUES, ears.on_heard, ears.on_suspended)
        stopping.start()
        with redis.Redis.from_url(redis_url) as client:
            await until(lambda: any(each["cmd"] == "blpop" for each in client.client_list()))
        stopping._stop.set()  # its last read is still under way
        async with ringing(redis_url) as bell:
            bell.ring({"audit"})
            await asyncio.to_thread(stopping._thread.join, LIMIT_SECONDS)
            async with listening(redis_url) as others:
                assert await heard(others) == "audit"
        assert ears.heard.empty()

    asyncio.run(story())


def test_the_ring_of_a_queue_that_is_full_here_waits_for_another_process_or_for_room(redis_url: str) -> None:
    full = {"webhooks"}
    asked: list[str] = []

    def has_room(queue: str) -> bool:
        asked.append(queue)
        return queue not in full

    async def story() -> None:
        with redis.Redis.from_url(redis_url) as client:
            async with listening(redis_url, has_room=has_room) as ears, ringing(redis_url) as bell:
                bell.ring({"webhooks"})
                for _ in range(3):
                    bell.ring({"audit"})
                    assert await heard(ears) == "audit"
                assert waiting(client, "webhooks") == 1
                async with listening(redis_url, ["webhooks"]) as other:
                    assert await heard(other) == "webhooks"
                full.add("audit")
                asked.clear()
                await until(lambda: len(asked) > 4)  # it no longer listens to any
                bell.ring({"webhooks", "audit"})
                await until(lambda: waiting(client, "webhooks") and waiting(client, "audit"))
                full.clear()
                assert {await heard(ears), await heard(ears)} == {"webhooks", "audit"}

    asyncio.run(story())


def test_what_is_heard_without_room_is_rung_again() -> None:
    """It had room when it listened, and none when it heard."""

    class Runner:
        has_room = False

        def wake(self) -> bool:
            return self.has_room

    class Rung:
        def __init__(self) -> None:
            self.queues: asyncio.Queue[set[str]] = asyncio.Queue()

        def ring(self, queues: set[str]) -> None:
            self.queues.put_nowait(queues)

    async def story() -> None:
        runner: Any = Runner()
        bell = Rung()
        notifier = Notifier(bell)
        notifier.serve({"webhooks": runner})
        assert not notifier.has_room("webhooks")
        await asyncio.to_thread(notifier.heard, "webhooks")
        assert await asyncio.wait_for(bell.queues.get(), LIMIT_SECONDS) == {"webhooks"}
        runner.has_room = True
        assert notifier.has_room("webhooks")
        await asyncio.to_thread(notifier.heard, "webhooks")
        await asyncio.sleep(0)
        assert bell.queues.empty()

    asyncio.run(story())


def test_a_listener_about_to_block_stops_at_once(redis_url: str) -> None:
    """The end of its read is asked for when it has not begun yet."""

    async def story() -> None:
        about_to_block, told = threading.Event(), threading.Event()

        def pause(_: bool) -> None:
            about_to_block.set()
            told.wait(LIMIT_SECONDS)

        listener = BellListener(redis_url, QUEUES, lambda _: None, pause)
        listener.start()
        assert await asyncio.to_thread(about_to_block.wait, LIMIT_SECONDS)
        stopping = asyncio.create_task(listener.stop())
        await until(listener._stop.is_set)
        await asyncio.sleep(2 * listener_module.UNBLOCK_SECONDS)  # asked in vain, by now
        began = time.monotonic()
        told.set()
        await stopping
        assert not listener._thread.is_alive()
        assert time.monotonic() - began < LISTEN_SECONDS / 2

    asyncio.run(story())


def test_a_ring_that_redis_did_not_take_is_sent_when_it_is_back(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, refused = ring_module.send, []

    def refuse_once(connection: redis.Redis, queues: set[str]) -> None:
        if not refused:
            refused.append(queues)
            raise redis.ConnectionError("away")
        send(connection, queues)

    monkeypatch.setattr(ring_module, "send", refuse_once)

    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            assert await heard(ears) == "audit"
        assert refused

    asyncio.run(story())


def test_after_a_broken_connection_every_queue_counts_as_rung(redis_url: str) -> None:
    """A ring may have been on its way through it."""

    async def story() -> None:
        async with listening(redis_url) as ears:
            with redis.Redis.from_url(redis_url) as client:
                await until(lambda: any(each["cmd"] == "blpop" for each in client.client_list()))
                client.client_kill_filter(_type="normal", skipme=True)
            assert {await heard(ears), await heard(ears)} == set(QUEUES)

    asyncio.run(story())


@pytest.mark.parametrize("lost", [["pubsub"], ["normal", "pubsub"]])
def test_commands_are_heard_after_a_lost_connection(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, lost: list[str]
) -> None:
    signals: list[int] = []
    monkeypatch.setattr("rq.command.os.kill", lambda _, number: signals.append(number))

    async def story() -> None:
        async with listening(redis_url):
            with redis.Redis.from_url(redis_url) as client:
                await until(lambda: any(each["cmd"] == "blpop" for each in client.client_list()))
                for kind in lost:
                    client.client_kill_filter(_type=kind, skipme=True)
                # Not while it is away: nobody keeps them. So again, until it is there.
                async with asyncio.timeout(LIMIT_SECONDS):
                    while not signals:
                        for worker in Worker.all(connection=client):
                            send_shutdown_command(client, worker.name)
                        await asyncio.sleep(0.2)
                assert set(signals) == {signal.SIGINT}

    asyncio.run(story())


def test_few_rights_are_enough_to_ring_and_to_hear(redis_url: str) -> None:
    """As hosted Redis gives them: nothing of what its categories call dangerous or administration."""

    async def story(url: str) -> None:
        async with listening(url) as ears, ringing(url) as bell:
            bell.ring({"audit"})
            assert await heard(ears) == "audit"
            began = time.monotonic()
        assert time.monotonic() - began < LISTEN_SECONDS + 0.5

    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser(
            "few",
            enabled=True,
            passwords=["+few"],
            keys=["*"],
            channels=["*"],
            categories=["+@all", "-@dangerous", "-@admin"],
        )
        parts = urlsplit(redis_url)
        try:
            asyncio.run(story(parts._replace(netloc=f"few:few@{parts.hostname}:{parts.port}").geturl()))
        finally:
            client.acl_deluser("few")


def test_what_lies_where_rings_wait_is_cleared_away(redis_url: str) -> None:
    async def story() -> None:
        with redis.Redis.from_url(redis_url) as client:
            for key in ("rq:queues", "rq:workers", "rq:workers:audit", "rq:queue:audit"):
                client.set(key, "no list, no set")
            client.set(f"rq:job:{ring_id('audit')}", "no hash")
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            assert await heard(ears) == "audit"

    asyncio.run(story())


def _listen_for_ever(redis_url: str) -> None:
    listener_module.ALIVE_SECONDS = SHORT_LIFE_SECONDS
    listener = BellListener(redis_url, QUEUES, lambda _: None, lambda _: None)
    listener.start()
    listener._thread.join()


def test_a_killed_worker_is_no_worker_a_few_seconds_later(redis_url: str) -> None:
    async def names() -> list[str]:
        info = RedisInfo(redis_url)
        try:
            return [worker["name"] for worker in await info.workers() or ()]
        finally:
            await info.close()

    async def story() -> None:
        other = multiprocessing.get_context("spawn").Process(target=_listen_for_ever, args=(redis_url,))
        other.start()
        try:
            async with asyncio.timeout(3 * LIMIT_SECONDS):
                while not await names():
                    await asyncio.sleep(0.05)
        finally:
            assert other.pid is not None
            os.kill(other.pid, signal.SIGKILL)
            other.join()
        async with asyncio.timeout(SHORT_LIFE_SECONDS + 1):
            while await names():
                await asyncio.sleep(0.05)

    asyncio.run(story())


def test_a_worker_that_redis_forgot_registers_again(redis_url: str) -> None:
    """One that was silent for too long; its name is still among the others'."""

    async def story() -> None:
        async with listening(redis_url):
            with redis.Redis.from_url(redis_url) as client:
                [worker] = await until(lambda: Worker.all(connection=client))
                client.delete(worker.key)
                await until(lambda: client.hget(worker.key, "queues") == b"webhooks,audit")
                assert 0 < client.ttl(worker.key) <= ALIVE_SECONDS

    asyncio.run(story())


@pytest.mark.parametrize("allowed", [True, False])
def test_a_remote_shutdown_says_who_asked_and_can_be_switched_off(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    signals: list[int] = []
    monkeypatch.setattr("rq.command.os.kill", lambda _, number: signals.append(number))

    async def story(logs: Sequence[Any]) -> None:
        async with listening(redis_url, remote_shutdown=allowed) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url, client_name="the-operator") as client:
                [worker] = Worker.all(connection=client)
                for nonsense in (b"\xff", b"[]", b"1", b"[" * 100_000, b'{"command": ["shutdown"]}', b"{}"):
                    client.publish(worker.pubsub_channel_name, nonsense)
                send_shutdown_command(client, worker.name)
                word = "obeyed" if allowed else "refused"
                [said] = await until(lambda: [log for log in logs if log["event"] == f"rq_command.{word}"])
            assert (said["command"], said["worker"]) == ("shutdown", worker.name)
            assert any("name=the-operator" in client for client in said["asked_by"])
            bell.ring({"audit"})
            assert await heard(ears) == "audit"

    with capture_logs() as logs:
        asyncio.run(story(logs))
    assert signals == ([signal.SIGINT] if allowed else [])


def test_who_seems_to_have_asked_comes_before_those_who_always_publish(redis_url: str) -> None:
    """Six processes whose streams are fed, and somebody who has just come."""

    class Worker:
        name = "nobody"
        connection = redis.Redis.from_url(redis_url)

    def age(client: redis.Redis, name: str) -> int:
        return next(int(each["age"]) for each in client.client_list() if each["name"] == name)

    worker: Any = Worker()
    with ExitStack() as stack:
        stack.enter_context(worker.connection)
        old = [
            stack.enter_context(redis.Redis.from_url(redis_url, client_name=f"publisher-{number}"))
            for number in range(6)
        ]
        for each in old:
            each.publish("test:nothing", "")
        until_time = time.monotonic() + LIMIT_SECONDS
        while age(worker.connection, "publisher-5") < 1 and time.monotonic() < until_time:
            time.sleep(0.05)
        operator = stack.enter_context(redis.Redis.from_url(redis_url, client_name="the-operator"))
        operator.publish("test:nothing", "")
        for each in old:
            each.publish("test:nothing", "")
        with capture_logs() as logs:
            obey(worker, {"data": b'{"command": "shutdown"}'}, remote_shutdown=False)
    [said] = logs
    assert "name=the-operator" in said["asked_by"][0]
    assert len(said["asked_by"]) == 5


def test_a_listener_without_redis_stops_in_time() -> None:
    async def story() -> None:
        async with asyncio.timeout(5):
            async with listening("redis://127.0.0.1:1/0"):
                pass

    asyncio.run(story())
