"""The hub: who hears what, in which order, how often it is encoded, and what happens when somebody breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ogel.runtime.realtime.broadcast import KEYS
from ogel.runtime.realtime.connections import dispatcher
from ogel.runtime.realtime.connections.dispatcher import Dispatcher
from ogel.runtime.realtime.connections.registry import ConnectionOptions, Registry
from ogel.runtime.realtime.feed import RealtimeFeed
from ogel.runtime.realtime.globs import GlobIndex
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.metrics import RealtimeMetrics
from ogel.runtime.realtime.publication import PUBLICATIONS
from tests.support.http import story
from tests.support.realtime import ScriptedWatch


class Heard:
    """A listener that keeps what it hears, until `broken`."""

    def __init__(self, encode: Callable[[str], bytes] = str.encode) -> None:
        self.encode = encode
        self.got: list[str] = []
        self.broken = False
        self.told_so = 0

    def hear(self, publication: str, encoded: bytes) -> None:
        if self.broken:
            raise ZeroDivisionError
        assert encoded == self.encode(publication)
        self.got.append(publication)

    def broke(self) -> None:
        self.told_so += 1


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, publication: str) -> bytes:
        self.calls += 1
        return publication.encode()


def a_hub() -> tuple[Hub[str], Dispatcher, CollectorRegistry]:
    registry, dispatcher = CollectorRegistry(), Dispatcher()
    return Hub(GlobIndex(), dispatcher, RealtimeMetrics(registry)), dispatcher, registry


def listening(hub: Hub[str], *topics: str, **how: Any) -> Heard:
    listener = Heard(**how)
    for topic in topics:
        hub.subscribe(topic, listener)
    return listener


async def handed_out() -> None:
    """Lets the dispatcher have its turns."""
    for _ in range(3):
        await asyncio.sleep(0)


@story
async def test_each_hears_what_it_asked_for_once_and_in_order() -> None:
    hub, _, registry = a_hub()
    everything, orders = listening(hub, "*"), listening(hub, "order.paid", "order.*")
    payments, chat = listening(hub, "*.paid"), listening(hub, "chat.*")
    hub.publish("order.paid", "first")
    hub.publish("order.sent", "second")
    assert everything.got == [], "publishing does not wait for anybody"
    await handed_out()

    assert everything.got == orders.got == ["first", "second"]
    assert payments.got == ["first"]
    assert chat.got == []
    assert registry.get_sample_value("ogel_realtime_subscriptions") == 5
    assert registry.get_sample_value("ogel_realtime_events_total") == 2
    assert registry.get_sample_value("ogel_realtime_messages_total") == 5

    hub.unsubscribe("*", everything)
    hub.publish("order.paid", "third")
    await handed_out()
    assert everything.got == ["first", "second"]
    assert payments.got == ["first", "third"]
    assert registry.get_sample_value("ogel_realtime_subscriptions") == 4


@story
async def test_who_speak_alike_share_one_encoding() -> None:
    hub, _, _ = a_hub()
    one, other = Counted(), Counted()
    for n in range(300):
        listening(hub, "*", encode=one if n % 2 else other)
    hub.publish("order.paid", "first")
    await handed_out()
    # Each listener of the test encodes once to compare.
    assert (one.calls, other.calls) == (151, 151)


def test_one_that_breaks_is_told_and_the_others_miss_nothing() -> None:
    @story
    async def told() -> None:
        hub, _, _ = a_hub()
        broken, healthy = listening(hub, "*"), [listening(hub, "*") for _ in range(100)]
        broken.broken = True
        hub.publish("order.paid", "first")
        await handed_out()
        assert broken.told_so == 1
        assert all(each.got == ["first"] for each in healthy)

    with capture_logs() as logs:
        told()
    assert [line["event"] for line in logs] == ["realtime.listener_broke"]


class Slow(Heard):
    def hear(self, publication: str, encoded: bytes) -> None:
        time.sleep(0.0002)  # what handing out costs
        super().hear(publication, encoded)


@story
async def test_a_large_fan_out_lets_others_go_on_and_keeps_the_order() -> None:
    hub, _, _ = a_hub()
    listeners = [Slow() for _ in range(300)]
    for listener in listeners:
        hub.subscribe("*", listener)
    began = time.perf_counter()
    hub.publish("a", "first")
    hub.publish("a", "second")
    longest, turns = 0.0, 0
    while any(len(each.got) < 2 for each in listeners):
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest, turns = max(longest, time.perf_counter() - before), turns + 1
    assert all(each.got == ["first", "second"] for each in listeners)
    assert turns > 5
    assert longest < (time.perf_counter() - began) / 2


class Unwritten:
    """A connection whose flush takes its time, so that it lags behind what is handed out."""

    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


def test_no_more_is_handed_out_than_one_round_before_all_are_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "SLICE_SECONDS", 0.0)  # one step a turn

    @story
    async def told() -> None:
        hub, dispatching, _ = a_hub()
        listener = listening(hub, "*")
        waiting = [Unwritten() for _ in range(40)]
        for each in waiting:
            dispatching.wrote(each)
        for _ in range(3):
            hub.publish("a", "x" * dispatcher.ROUND_BYTES)
        await asyncio.sleep(0)
        assert len(listener.got) == 1
        assert sum(each.flushed for each in waiting) == 16
        while len(listener.got) < 2:
            await asyncio.sleep(0)
        assert all(each.flushed for each in waiting)

    told()


@story
async def test_who_brings_publications_waits_until_there_is_room() -> None:
    hub, dispatching, _ = a_hub()
    listener = listening(hub, "*")
    for _ in range(dispatcher.MAX_BACKLOG + 1):
        hub.publish("a", "x")
    assert dispatching.is_behind
    await dispatching.caught_up()
    assert not dispatching.is_behind
    await handed_out()
    assert len(listener.got) == dispatcher.MAX_BACKLOG + 1


class Silence:
    """A broadcast that says one thing."""

    async def publish(self, channel: str, payloads: object) -> None:
        raise AssertionError("the feed only listens")

    async def listen(self, channels, on_connected, stop):  # type: ignore[no-untyped-def]
        on_connected(True)
        channels[PUBLICATIONS](b"whatever it is")
        channels[KEYS](b"key_1")
        await stop.wait()
        on_connected(False)


@story
async def test_the_feed_passes_on_publications_and_news_of_keys() -> None:
    metrics, watch, stop = RealtimeMetrics(CollectorRegistry()), ScriptedWatch(), asyncio.Event()
    heard: list[bytes] = []
    connected: list[bool] = []
    feed = RealtimeFeed(
        Registry(metrics, ConnectionOptions()),
        heard.append,
        lambda: connected.append(True),
        Silence(),
        watch,
        metrics,
    )
    running = asyncio.create_task(feed.run(stop))
    await feed.connected.wait()
    await handed_out()
    assert (heard, connected) == ([b"whatever it is"], [True])
    assert watch.looks == 2  # at what was not heard before, and at the news
    stop.set()
    await running
    assert not feed.connected.is_set()
