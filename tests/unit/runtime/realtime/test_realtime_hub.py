"""The hub: who hears what, what happens to a client that does not keep up, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.runtime.realtime.broadcast import EVENTS, KEYS
from ogel.runtime.realtime.feed import RealtimeFeed
from ogel.runtime.realtime.hub import Hub, HubOptions
from ogel.runtime.realtime.message import Message, pack
from ogel.runtime.realtime.metrics import RealtimeMetrics
from ogel.runtime.realtime.subscription import Reason, Subscription, SubscriptionEnded
from tests.support.realtime import ScriptedWatch

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)
LIMIT_SECONDS = 5.0


def a_message(type: str = "order.paid", id: str = "evt_1", data: bytes = b"{}") -> Message:
    return Message(pack(Event(id, type, data, None, MOMENT)))


def a_hub(**options: int) -> tuple[Hub, CollectorRegistry]:
    registry = CollectorRegistry()
    return Hub(RealtimeMetrics(registry), HubOptions(**options)), registry


async def heard(subscription: Subscription) -> list[str]:
    """Ids of what waits."""
    ids = []
    while (message := await subscription.next(timeout_seconds=0)) is not None:
        ids.append(message.id)
    return ids


def test_each_hears_what_it_asked_for_once() -> None:
    async def story() -> None:
        hub, registry = a_hub()
        with (
            hub.subscribe(["*"]) as everything,
            hub.subscribe(["order.paid", "order.*", "order.paid"]) as orders,
            hub.subscribe(["*.paid"]) as payments,
            hub.subscribe(["chat.*"]) as chat,
        ):
            hub.publish(a_message("order.paid", "evt_1"))
            hub.publish(a_message("order.sent", "evt_2"))

            assert orders.globs == ("order.paid", "order.*")
            assert await heard(everything) == ["evt_1", "evt_2"]
            assert await heard(orders) == ["evt_1", "evt_2"]
            assert await heard(payments) == ["evt_1"]
            assert await heard(chat) == []
            assert registry.get_sample_value("ogel_realtime_subscriptions") == 4
        assert registry.get_sample_value("ogel_realtime_subscriptions") == 0
        assert registry.get_sample_value("ogel_realtime_events_total") == 2
        assert registry.get_sample_value("ogel_realtime_messages_total") == 5

    asyncio.run(story())


def test_who_has_left_hears_nothing() -> None:
    async def story() -> None:
        hub, registry = a_hub()
        with hub.subscribe(["*"]) as subscription:
            pass
        hub.publish(a_message())

        assert await heard(subscription) == []
        assert registry.get_sample_value("ogel_realtime_messages_total") == 0

    asyncio.run(story())


def test_a_message_wakes_who_waits_for_it() -> None:
    async def story() -> None:
        hub, _ = a_hub()
        with hub.subscribe(["*"]) as subscription:
            waiting = asyncio.create_task(subscription.next(LIMIT_SECONDS))
            asyncio.get_running_loop().call_soon(hub.publish, a_message())
            message = await waiting
        assert message is not None
        assert message.id == "evt_1"

    asyncio.run(story())


def test_a_slow_client_is_ended_and_the_others_miss_nothing() -> None:
    async def story() -> None:
        hub, registry = a_hub(queue_messages=2)
        with hub.subscribe(["*"]) as slow, hub.subscribe(["order.*"]) as healthy:
            got = []
            for number in range(4):
                hub.publish(a_message(id=f"evt_{number}"))
                got += await heard(healthy)

            assert got == ["evt_0", "evt_1", "evt_2", "evt_3"]
            with pytest.raises(SubscriptionEnded) as ended:
                await slow.next(LIMIT_SECONDS)
            assert ended.value.reason is Reason.SLOW
        assert registry.get_sample_value("ogel_realtime_subscriptions_ended_total", {"reason": "slow"}) == 1
        assert registry.get_sample_value("ogel_realtime_dropped_total") == 2
        assert registry.get_sample_value("ogel_realtime_messages_total") == 6

    asyncio.run(story())


def test_a_queue_is_bounded_in_bytes_but_takes_one_message_of_any_size() -> None:
    async def story() -> None:
        hub, _ = a_hub(queue_bytes=1000)
        large = b'"%b"' % (b"x" * 2000)
        with hub.subscribe(["*"]) as subscription:
            for number in range(3):
                hub.publish(a_message(id=f"evt_{number}", data=large))
                assert await heard(subscription) == [f"evt_{number}"]
            hub.publish(a_message(data=large))
            hub.publish(a_message())
            with pytest.raises(SubscriptionEnded):
                await subscription.next(LIMIT_SECONDS)

    asyncio.run(story())


def test_a_full_hub_turns_away_until_someone_leaves() -> None:
    hub, _ = a_hub(max_subscriptions=2)
    with ExitStack() as others:
        others.enter_context(hub.subscribe(["*"]))
        with hub.subscribe(["*"]), pytest.raises(Unavailable) as refusal, hub.subscribe(["*"]):
            pass
        assert refusal.value.retry_after_seconds == 5
        others.enter_context(hub.subscribe(["*"]))


def test_closing_gives_out_what_waits_then_ends_everyone() -> None:
    async def story() -> None:
        hub, registry = a_hub()
        with hub.subscribe(["*"]) as behind, hub.subscribe(["*"]) as waiting:
            pending = asyncio.create_task(waiting.next(LIMIT_SECONDS))
            hub.publish(a_message())
            hub.close()

            for subscription, first in ((behind, behind.next(LIMIT_SECONDS)), (waiting, pending)):
                message = await first
                assert message is not None
                assert message.id == "evt_1"
                with pytest.raises(SubscriptionEnded) as ended:
                    await subscription.next(LIMIT_SECONDS)
                assert ended.value.reason is Reason.SHUTDOWN
            with pytest.raises(Unavailable), hub.subscribe(["*"]):
                pass
        assert registry.get_sample_value("ogel_realtime_dropped_total") == 0

    asyncio.run(story())


def test_an_ended_key_gives_out_nothing_more() -> None:
    async def story() -> None:
        hub, registry = a_hub()
        with hub.subscribe(["*"]) as subscription:
            hub.publish(a_message())
            hub.end(subscription, Reason.REVOKED)
            hub.publish(a_message())
            with pytest.raises(SubscriptionEnded) as ended:
                await subscription.next(LIMIT_SECONDS)
            assert ended.value.reason is Reason.REVOKED
            assert registry.get_sample_value("ogel_realtime_subscriptions") == 0
        assert registry.get_sample_value("ogel_realtime_dropped_total") == 1

    asyncio.run(story())


class Silence:
    """A broadcast that says one unreadable thing, then one event."""

    async def publish(self, channel: str, payloads: object) -> None:
        raise AssertionError("the feed only listens")

    async def listen(self, channels, on_connected, stop):  # type: ignore[no-untyped-def]
        on_connected(True)
        channels[EVENTS](b"what is this")
        channels[EVENTS](a_message().json)
        channels[KEYS](b"key_1")
        await stop.wait()
        on_connected(False)


def test_the_feed_skips_what_it_cannot_read_passes_on_news_of_keys_and_closes_the_hub_at_the_end() -> None:
    async def story() -> None:
        hub, registry = a_hub()
        stop = asyncio.Event()
        watch = ScriptedWatch()
        feed = RealtimeFeed(hub, Silence(), watch, RealtimeMetrics(CollectorRegistry()))
        with hub.subscribe(["*"]) as subscription:
            running = asyncio.create_task(feed.run(stop))
            message = await subscription.next(LIMIT_SECONDS)
            assert message is not None
            assert feed.connected.is_set()
            assert watch.looks == 2  # at what was not heard before, and at the news
            stop.set()
            await running
            assert not feed.connected.is_set()
            with pytest.raises(SubscriptionEnded):
                await subscription.next(LIMIT_SECONDS)
        assert registry.get_sample_value("ogel_realtime_events_total") == 1

    with capture_logs() as logs:
        asyncio.run(story())
    assert [line["event"] for line in logs] == ["realtime.unreadable"]
