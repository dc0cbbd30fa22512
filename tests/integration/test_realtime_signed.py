"""What Redis carries to the streams was said by us: nobody else who can write there is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis
from structlog.testing import capture_logs

from ogel.adapters.redis.pubsub import RedisBroadcast
from ogel.runtime.realtime.broadcast import KEYS
from ogel.runtime.realtime.signed import SignedBroadcast

LIMIT_SECONDS = 10
NEW, OLD, OTHER = "n" * 32, "o" * 32, "x" * 32
CHANNELS = ("test:first", "test:second")


@asynccontextmanager
async def saying(redis_url: str, secret: str) -> AsyncIterator[SignedBroadcast]:
    broadcast = RedisBroadcast(redis_url)
    try:
        yield SignedBroadcast(broadcast, secret)
    finally:
        await broadcast.close()


@asynccontextmanager
async def hearing(redis_url: str) -> AsyncIterator[asyncio.Queue[tuple[str, bytes]]]:
    """With NEW, and OLD as a former secret."""
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    broadcast, stop, connected = RedisBroadcast(redis_url), asyncio.Event(), asyncio.Event()
    channels = {
        name: lambda payload, name=name: heard.put_nowait((name, payload))  # type: ignore[misc]
        for name in (*CHANNELS, KEYS)
    }
    listening = asyncio.create_task(
        SignedBroadcast(broadcast, NEW, [OLD]).listen(channels, lambda _: connected.set(), stop)
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await connected.wait()
            yield heard
    finally:
        stop.set()
        await listening
        await broadcast.close()


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_ours_is_heard_as_it_was_said(redis_url: str, secret: str) -> None:
    async def story() -> None:
        payloads = [b"", b"{}", bytes(range(256)), "ä\0".encode() * 100_000]
        async with hearing(redis_url) as heard, saying(redis_url, secret) as ours:
            await ours.publish("test:second", payloads)
            assert [await heard.get() for _ in payloads] == [("test:second", each) for each in payloads]

    asyncio.run(story())


def test_news_of_keys_is_heard_from_who_does_not_know_the_secret(redis_url: str) -> None:
    """`ogel keys revoke` needs none, and whoever hears of a key looks in the database."""

    async def story() -> None:
        async with hearing(redis_url) as heard, saying(redis_url, OTHER) as others:
            await others.publish(KEYS, [b"key_1"])
            assert await heard.get() == (KEYS, b"key_1")

    asyncio.run(story())


def test_nobody_else_is_heard_and_the_log_says_so_once(redis_url: str) -> None:
    async def story() -> None:
        with redis.Redis.from_url(redis_url) as client:
            overheard = client.pubsub(ignore_subscribe_messages=True)
            overheard.subscribe("test:first")
            overheard.get_message(timeout=LIMIT_SECONDS)
            async with (
                hearing(redis_url) as heard,
                saying(redis_url, NEW) as ours,
                saying(redis_url, OTHER) as others,
            ):
                await ours.publish("test:first", [b"one"])
                assert await heard.get() == ("test:first", b"one")
                while (message := overheard.get_message(timeout=LIMIT_SECONDS)) is None:
                    pass
                signed: bytes = message["data"]
                client.publish("test:second", signed)  # said there by nobody
                for forged in (
                    b"",
                    b"{}",
                    b"one",
                    signed[:-1],
                    signed + b" ",
                    signed[:32],
                    bytes(32) + b"one",
                ):
                    client.publish("test:first", forged)
                await others.publish("test:first", [b"theirs"])
                await ours.publish("test:first", [b"two"])
                assert await heard.get() == ("test:first", b"two")
                assert heard.empty()

    with capture_logs() as logs:
        asyncio.run(story())
    assert len([line for line in logs if line["event"] == "realtime.not_signed"]) == 1
