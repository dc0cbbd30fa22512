"""What follows from what providers say: attempts, waits, ends; on real tables, with scripted providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from ogel.features.messaging.devices.device import NewFcmDevice, NewWebPushDevice
from ogel.features.messaging.devices.purge import purge_of_devices
from ogel.features.messaging.feature import MessagingFeature
from ogel.features.messaging.messages.message import QUEUE, MessageWithAttempts, NewPush, NewSms
from ogel.features.messaging.messages.purges import purges_of_messages
from ogel.features.messaging.sending.senders import MessageProviders
from ogel.features.messaging.settings import MessagingSettings
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from ogel.runtime.delivery.breaker import FAILURES
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.jobs.bell import Notifier
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.pressure import Admit, QueueFull
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.messaging import Gone
from tests.support.carriers import Browser
from tests.support.core import a_core
from tests.support.jobs import world as job_world

CALLER = Caller(SYSTEM, "req_test")
NUMBER = "+4915112345678"
DAY = 86_400
WRONG_KEY = ProviderError("wrong password", ours=True)


class Scripted:
    """Takes, or raises, what it was told to, in turn; the last for good."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)
        self.messages: list[Any] = []

    async def send(self, message: Any, /) -> str:
        self.messages.append(message)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class World:
    database: Database
    feature: MessagingFeature
    kinds: list[JobKind]
    notifier: Notifier

    @property
    def kind(self) -> JobKind:
        return next(each for each in self.kinds if each.queue == QUEUE)

    async def text(self, **more: Any) -> str:
        accepted = await self.feature.messages.send(CALLER, NewSms(to=NUMBER, text="hello", **more))
        return accepted.items[0].id

    async def get(self, id: str) -> MessageWithAttempts:
        return await self.feature.messages.get(id)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.autocommit() as tx:
            return await tx.tuples(query.encode())

    async def until(self, id: str, enough: Callable[[MessageWithAttempts], bool]) -> MessageWithAttempts:
        async with asyncio.timeout(15):
            while not enough(found := await self.get(id)):
                await asyncio.sleep(0.01)
        return found

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        runner = JobRunner(
            self.database, QUEUE, [self.kind], RunnerOptions(), JobMetrics(CollectorRegistry())
        )
        self.notifier.serve({QUEUE: runner})
        task = asyncio.create_task(runner.run(stop, 5.0))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 15)


def in_world(
    database_url: str,
    story: Callable[[World], Coroutine[Any, Any, None]],
    providers: MessageProviders,
    lifetime_seconds: int = DAY,
    admit: Admit = lambda _: None,
) -> None:
    async def told() -> None:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            core = a_core(jobs.database, queue)
            core.pressure.admit = admit  # type: ignore[method-assign]
            feature = MessagingFeature(core, MessagingSettings(lifetime_seconds=lifetime_seconds), providers)
            kinds = [feature.send.kind()]
            queue.know(kinds)
            await story(World(jobs.database, feature, kinds, jobs.notifier))

    asyncio.run(told())


def by_sms(*scripted: Scripted) -> MessageProviders:
    return MessageProviders(sms=[(f"p{n}", each) for n, each in enumerate(scripted)])


def test_a_wrong_password_costs_no_attempt(database_url: str) -> None:
    first, second = Scripted(WRONG_KEY), Scripted("id-1")

    async def story(w: World) -> None:
        async with w.working():
            found = await w.until(await w.text(), lambda m: m.status == "sent")
            assert [(each.provider, each.outcome) for each in found.log] == [("p0", "failed"), ("p1", "sent")]
            # Its breaker is open now: the next is not even offered to it.
            found = await w.until(await w.text(), lambda m: m.status == "sent")
            assert [each.provider for each in found.log] == ["p1"]

    in_world(database_url, story, by_sms(first, second))
    assert len(first.messages) == 1


def test_while_nobody_can_be_asked_messages_wait(database_url: str) -> None:
    only = Scripted(WRONG_KEY)

    async def story(w: World) -> None:
        async with w.working():
            one = await w.until(await w.text(), lambda m: m.next_attempt_at is not None)
            other = await w.until(await w.text(), lambda m: m.next_attempt_at is not None)
        assert (one.status, one.error) == ("queued", "wrong password")
        assert (other.status, other.attempts, other.log) == ("queued", 0, [])
        assert other.next_attempt_at is not None
        assert (other.next_attempt_at - utc_now()).total_seconds() > 10, "not before the breaker lets it"
        assert {row[0] for row in await w.rows("SELECT attempts FROM job_queue")} == {0}

    in_world(database_url, story, by_sms(only))
    assert len(only.messages) == 1


def test_a_provider_that_fails_is_left_alone_after_some_time(database_url: str) -> None:
    first, second = Scripted(ProviderError("down")), Scripted("id-1")

    async def story(w: World) -> None:
        async with w.working():
            for _ in range(FAILURES + 3):
                await w.until(await w.text(), lambda m: m.status == "sent")

    in_world(database_url, story, by_sms(first, second))
    assert (len(first.messages), len(second.messages)) == (FAILURES, FAILURES + 3)


def test_where_one_provider_may_not_send_another_does(database_url: str) -> None:
    first, second = Scripted(ProviderError("region not enabled", deferred=True)), Scripted("id-1")

    async def story(w: World) -> None:
        async with w.working():
            for _ in range(FAILURES + 1):
                await w.until(await w.text(), lambda m: m.status == "sent")

    in_world(database_url, story, by_sms(first, second))
    assert len(first.messages) == len(second.messages) == FAILURES + 1, "it is well, and not left alone"


def test_where_nobody_may_send_the_message_waits(database_url: str) -> None:
    only = Scripted(ProviderError("region not enabled", deferred=True), "id-1")

    async def story(w: World) -> None:
        async with w.working():
            found = await w.until(await w.text(), lambda m: m.status == "sent")
        assert [each.outcome for each in found.log] == ["failed", "sent"]

    in_world(database_url, story, by_sms(only))


def test_what_comes_too_late_is_not_tried_again(database_url: str) -> None:
    only = Scripted(ProviderError("busy", retry_after_seconds=120.0))

    async def story(w: World) -> None:
        async with w.working():
            found = await w.until(await w.text(), lambda m: m.status == "failed")
        assert found.error == "busy; another attempt would come after its 60 s"
        assert await w.rows("SELECT status FROM job_queue") == [("dead",)]

    in_world(database_url, story, by_sms(only), lifetime_seconds=60)


def test_what_waited_too_long_for_a_worker_is_not_sent(database_url: str) -> None:
    only = Scripted("id-1")

    async def story(w: World) -> None:
        id = await w.text()
        await w.rows("UPDATE messages SET queued_at = now() - interval '2 days' RETURNING id")
        async with w.working():
            found = await w.until(id, lambda m: m.status == "failed")
            assert (found.error, found.log) == (f"it was not sent within {DAY} s", [])
            # Retried, its time begins anew.
            await w.feature.messages.retry(CALLER, id)
            await w.until(id, lambda m: m.status == "sent")

    in_world(database_url, story, by_sms(only))
    assert len(only.messages) == 1


def test_a_push_is_worth_keeping_for_what_is_left_of_its_time(database_url: str) -> None:
    only = Scripted("id-1")

    async def story(w: World) -> None:
        device, _ = await w.feature.devices.register(CALLER, NewFcmDevice(token="token"))
        new = NewPush(to=device.id, title="a", body="b", ttl_seconds=600)
        id = (await w.feature.messages.send(CALLER, new)).items[0].id
        await w.rows("UPDATE messages SET queued_at = now() - interval '400 s' RETURNING id")
        async with w.working():
            await w.until(id, lambda m: m.status == "sent")

    in_world(database_url, story, MessageProviders(fcm=only))
    assert 150 < only.messages[0].ttl_seconds <= 200
    assert only.messages[0].to == "token"


def test_what_a_dead_worker_may_have_sent_is_told(database_url: str) -> None:
    only = Scripted("id-1")

    async def story(w: World) -> None:
        id = await w.text()
        await w.rows(
            "UPDATE job_queue SET status = 'running', attempts = 1, lease_id = 'gone', claimed_at = now(),"
            " leased_until = now() - interval '1 s' RETURNING id"
        )
        async with w.working():
            found = await w.until(id, lambda m: m.status == "sent")
        lost, sent = found.log
        assert (lost.outcome, lost.provider) == ("unknown", None)
        assert lost.error is not None and "not known" in lost.error
        assert (sent.outcome, found.attempts) == ("sent", 2)

    in_world(database_url, story, by_sms(only))


def test_a_device_registered_again_meanwhile_stays_enabled(database_url: str) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    class Slow:
        async def send(self, message: Any, /) -> str:
            asked.set()
            await answered.wait()
            raise Gone("not there any more")

    async def story(w: World) -> None:
        device, _ = await w.feature.devices.register(CALLER, NewFcmDevice(token="token"))
        id = (await w.feature.messages.send(CALLER, NewPush(to=device.id, title="a", body="b"))).items[0].id
        async with w.working():
            await asyncio.wait_for(asked.wait(), 10)
            await w.feature.devices.register(CALLER, NewFcmDevice(token="token"))
            answered.set()
            await w.until(id, lambda m: m.status == "failed")
        assert (await w.feature.devices.get(device.id)).state == "enabled"

    in_world(database_url, story, MessageProviders(fcm=Slow()))


WRONG_TOKEN = ProviderError("invalid JWT provided", ours=True)
OTHER_KEY = ProviderError("VAPID public key mismatch", ours=True, deferred=True)


@pytest.mark.parametrize(("refusal", "least_seconds"), [(WRONG_TOKEN, 25), (OTHER_KEY, 295)])
def test_a_token_that_one_subscription_s_service_refuses_holds_up_no_other_push(
    database_url: str, refusal: ProviderError, least_seconds: float
) -> None:
    """Whoever subscribes chooses what is asked of the service that the others use."""
    provider = Scripted(refusal, "id-1")

    async def push(w: World, path: str) -> tuple[str, str]:
        wanted = Browser().subscription(f"https://push.example/{path}")
        new = msgspec.convert({"provider": "webpush", "subscription": wanted}, NewWebPushDevice)
        device, _ = await w.feature.devices.register(CALLER, new)
        accepted = await w.feature.messages.send(CALLER, NewPush(to=device.id, title="a", body="b"))
        return accepted.items[0].id, device.id

    async def story(w: World) -> None:
        async with w.working():
            id, device = await push(w, "one")
            waiting = await w.until(id, lambda m: m.next_attempt_at is not None and bool(m.log))
            assert (waiting.status, waiting.error) == ("queued", refusal.message)
            assert [each.error for each in waiting.log] == [refusal.message]
            assert await w.rows("SELECT attempts FROM job_queue") == [(0,)]
            assert waiting.next_attempt_at is not None
            assert (waiting.next_attempt_at - utc_now()).total_seconds() > least_seconds
            assert (await w.feature.devices.get(device)).state == "enabled"
            other, _ = await push(w, "two")
            await w.until(other, lambda m: m.status == "sent")

    in_world(database_url, story, MessageProviders(webpush=provider))


def test_what_addresses_a_device_is_sealed(database_url: str) -> None:
    async def story(w: World) -> None:
        device, _ = await w.feature.devices.register(CALLER, NewFcmDevice(token="token-in-clear"))
        [(row,)] = await w.rows("SELECT devices::text || encode(sealed, 'escape') FROM devices")
        assert device.id in row and "token-in-clear" not in row
        # Under another OGEL_SECRET it cannot be read: the message waits, and costs no attempt.
        await w.rows("UPDATE devices SET sealed = '\\x0200000000' RETURNING id")
        id = (await w.feature.messages.send(CALLER, NewPush(to=device.id, title="a", body="b"))).items[0].id
        async with w.working():
            found = await w.until(id, lambda m: m.next_attempt_at is not None)
        assert (found.status, found.error, found.attempts) == (
            "queued",
            "its device cannot be read: see `ogel secrets status`",
            0,
        )

    in_world(database_url, story, MessageProviders(fcm=Scripted("id-1")))


@pytest.mark.parametrize("status", ["sent", "failed"])
def test_what_is_over_for_long_is_forgotten(database_url: str, status: str) -> None:
    answer: str | Exception = "id-1" if status == "sent" else ProviderError("no number", final=True)

    async def story(w: World) -> None:
        old, new, waits = [await w.text(idempotency_key=f"k{n}") for n in range(3)]
        async with w.working():
            for id in (old, new, waits):
                await w.until(id, lambda m: m.status == status)
        age = "now() - interval '31 days'"
        await w.rows(f"UPDATE messages SET finished_at = {age} WHERE id = '{old}' RETURNING id")
        await w.rows(
            f"UPDATE messages SET status = 'queued', finished_at = NULL, created_at = {age} "
            f"WHERE id = '{waits}' RETURNING id"
        )
        await w.rows(f"UPDATE message_requests SET created_at = {age} WHERE key = 'k0' RETURNING key")
        device, _ = await w.feature.devices.register(CALLER, NewFcmDevice(token="gone"))
        await w.rows(f"UPDATE devices SET disabled_at = {age}, disabled_reason = 'gone' RETURNING id")
        await w.feature.devices.register(CALLER, NewFcmDevice(token="here"))
        before = utc_now() - timedelta(days=30)
        for purge in (*purges_of_messages(30.0), purge_of_devices(30.0)):
            async with w.database.transaction() as tx:
                assert await purge.count(tx, before) == (await purge.batch(tx, before, 100)).deleted == 1
        assert {row[0] for row in await w.rows("SELECT id FROM messages")} == {new, waits}
        assert {row[0] for row in await w.rows("SELECT message_id FROM message_attempts")} == {new, waits}
        assert {row[0] for row in await w.rows("SELECT key FROM message_requests")} == {"k1", "k2"}
        assert device.id not in {row[0] for row in await w.rows("SELECT id FROM devices")}
        assert len(await w.rows("SELECT FROM devices")) == 1
        dead = {row[0] for row in await w.rows("SELECT id FROM job_queue WHERE status = 'dead'")}
        assert f"job_{old[4:]}" not in dead
        assert len(dead) == (0 if status == "sent" else 2)

    in_world(database_url, story, MessageProviders(sms=[("p0", Scripted(answer))], fcm=Scripted("id-1")))


def test_two_requests_with_one_key_at_once(database_url: str) -> None:
    async def story(w: World) -> None:
        ids = await asyncio.gather(*(w.text(idempotency_key="one") for _ in range(5)))
        assert len(set(ids)) == 1
        assert len(await w.rows("SELECT FROM messages")) == len(await w.rows("SELECT FROM job_queue")) == 1
        with pytest.raises(Conflict):
            await w.feature.messages.send(CALLER, NewSms(to=NUMBER, text="other", idempotency_key="one"))

    in_world(database_url, story, by_sms(Scripted("id-1")))


def test_a_full_queue_takes_nothing(database_url: str) -> None:
    def full(queues: Sequence[str]) -> None:
        assert list(queues) == [QUEUE]
        raise QueueFull("full")

    async def story(w: World) -> None:
        with pytest.raises(QueueFull):
            await w.text(idempotency_key="one")
        for table in ("messages", "job_queue", "message_requests", "audit_logs"):
            assert await w.rows(f"SELECT FROM {table}") == []

    in_world(database_url, story, by_sms(Scripted("id-1")), admit=full)
