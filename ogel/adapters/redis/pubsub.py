"""The broadcast over Redis pub/sub: messages reach those who listen at the moment and are not stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from ogel.adapters.redis.faults import REDIS_FAULTS
from ogel.kernel.errors import Unavailable
from ogel.runtime.realtime.broadcast import OnMessage

log = structlog.get_logger(__name__)

SOCKET_TIMEOUT_SECONDS = 2.0
# How long a publisher waits for Redis before it gives up, and how often it looks meanwhile.
PATIENCE_SECONDS = 5.0
RETRY_SECONDS = 0.25
# A listener that did not end when it was told to is told again after this.
CANCEL_SECONDS = 0.2
# Listeners reconnect after 0.1 s, then ever later up to this.
LONGEST_PAUSE_SECONDS = 1.0
# After an outage, listeners get this long to reconnect before anything is published; it is a little more than they
# need.
SETTLE_SECONDS = 1.5
# Waiting messages are sent together, up to this many bytes at a time.
WRITE_BYTES = 1024 * 1024
# A connection that has been silent for this long is asked whether it lives, and has as long again to answer.
SILENCE_SECONDS = 10.0
# Messages are read for this long without a pause.
TURN_SECONDS = 0.001


class _Utterance(Struct, frozen=True, eq=False):
    """One call of `publish` that waits for its turn."""

    channel: str
    payloads: Sequence[bytes]

    @property
    def size(self) -> int:
        return sum(len(payload) for payload in self.payloads)


class RedisBroadcast:
    """Publishes and listens; connections are made on first use."""

    def __init__(self, redis_url: str) -> None:
        self._client = Redis.from_url(
            redis_url,
            protocol=2,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # trying again is done here, where it can be logged and bounded
        )
        self._turn = asyncio.Lock()
        self._waiting: dict[_Utterance, None] = {}
        self._away = False
        self._settled_at = 0.0

    async def publish(self, channel: str, payloads: Sequence[bytes]) -> None:
        """Raises Unavailable when Redis has not taken them within 5 s."""
        mine = _Utterance(channel, payloads)
        self._waiting[mine] = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                # One publisher at a time sends for all that wait: this is ten times cheaper, and in an outage only one
                # retries.
                async with self._turn:
                    while mine in self._waiting:
                        await self._publish_some()
        except TimeoutError as error:
            raise Unavailable("Redis did not take the messages.") from error
        finally:
            self._waiting.pop(mine, None)

    async def listen(
        self,
        channels: Mapping[str, OnMessage],
        on_connected: Callable[[bool], None],
        stop: asyncio.Event,
    ) -> None:
        """Listens until `stop`. An exception from OnMessage ends it."""
        listening = asyncio.create_task(self._listen(channels, on_connected))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((listening, stopping), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
        finally:
            stopping.cancel()
            # Told once, it may go on: while it connects, the client library swallows one cancellation.
            while not listening.done():
                listening.cancel()
                await asyncio.wait((listening,), timeout=CANCEL_SECONDS)

    async def close(self) -> None:
        await self._client.aclose()

    async def _publish_some(self) -> None:
        batch = self._oldest()
        try:
            await self._wait_until_settled()
            async with self._client.pipeline(transaction=False) as pipeline:
                for utterance in batch:
                    for payload in utterance.payloads:
                        pipeline.publish(utterance.channel, payload)
                await pipeline.execute()
        except REDIS_FAULTS as error:
            if not self._away:
                log.warning("realtime.publisher_lost_redis", error=str(error))
            self._away = True
            await asyncio.sleep(RETRY_SECONDS)
            return
        for utterance in batch:
            self._waiting.pop(utterance, None)

    def _oldest(self) -> list[_Utterance]:
        """Returns what is sent in one write: at least one message, however large."""
        batch: list[_Utterance] = []
        room = WRITE_BYTES
        for utterance in self._waiting:
            room -= utterance.size
            if room < 0 and batch:
                break
            batch.append(utterance)
        return batch

    async def _wait_until_settled(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._away:
            await self._client.ping()
            self._away = False
            self._settled_at = now + SETTLE_SECONDS
            log.info("realtime.publisher_found_redis")
        if now < self._settled_at:
            await asyncio.sleep(self._settled_at - now)

    async def _listen(self, channels: Mapping[str, OnMessage], on_connected: Callable[[bool], None]) -> None:
        connected, said = False, False
        pause = 0.0

        def subscribed() -> None:
            nonlocal connected, said, pause
            log.info("realtime.listener_connected", channels=list(channels))
            connected, said, pause = True, False, 0.0
            on_connected(True)

        while True:
            try:
                async with self._client.pubsub() as pubsub:
                    await self._follow(pubsub, channels, subscribed)
            except REDIS_FAULTS as error:
                if not said:
                    log.warning("realtime.listener_lost_redis", channels=list(channels), error=str(error))
                    said = True
            if connected:
                connected = False
                on_connected(False)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2 or 0.1)
            await asyncio.sleep(pause)

    async def _follow(
        self, pubsub: PubSub, channels: Mapping[str, OnMessage], on_subscribed: Callable[[], None]
    ) -> None:
        """Listens on one connection until it breaks (RedisError)."""
        await pubsub.subscribe(*channels)
        asked, began = False, time.perf_counter()
        while True:
            message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                if asked:
                    raise RedisConnectionError("Redis has gone silent.")
                await pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "message":
                busy = channels[message["channel"].decode()](message["data"])
                if busy is not None:
                    await busy
            elif message["type"] == "subscribe" and message["data"] == len(channels):
                on_subscribed()
            # Reading what is buffered does not suspend: in a burst, others get their turn here. Not after each message,
            # so that those which came together can be written together.
            if time.perf_counter() - began >= TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
