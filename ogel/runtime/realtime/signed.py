"""A broadcast with signed messages, so that others who can write to Redis cannot forge any."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from ogel.runtime.realtime.broadcast import KEYS, SESSIONS, Broadcast, OnMessage

log = structlog.get_logger(__name__)

_UNSIGNED = frozenset({KEYS, SESSIONS})
_SIGNATURE_BYTES = 32
# Refused messages are logged once in this many seconds, with their number.
SAY_SECONDS = 10.0


class SignedBroadcast:
    """
    HMAC-SHA-256 over channel and message stands before the message. `secret` signs, and the `former` ones are heard
    too: those of processes that are not restarted yet. A message that was heard can be said again by whoever heard it.
    News of keys and sessions go as they are: they are hints, and operators' commands give them without knowing the
    secret.
    """

    def __init__(self, inner: Broadcast, secret: str, former: Sequence[str] = ()) -> None:
        self._inner = inner
        self._keys = [_key(each) for each in dict.fromkeys([secret, *former])]
        self._refused = 0
        self._said_at = -SAY_SECONDS

    async def publish(self, channel: str, payloads: Sequence[bytes]) -> None:
        if channel not in _UNSIGNED:
            payloads = [_signature(self._keys[0], channel, payload) + payload for payload in payloads]
        await self._inner.publish(channel, payloads)

    async def listen(
        self,
        channels: Mapping[str, OnMessage],
        on_connected: Callable[[bool], None],
        stop: asyncio.Event,
    ) -> None:
        believing = {
            channel: heard if channel in _UNSIGNED else self._believing(channel, heard)
            for channel, heard in channels.items()
        }
        await self._inner.listen(believing, on_connected, stop)

    def _believing(self, channel: str, heard: OnMessage) -> OnMessage:
        def judge(signed: bytes) -> Awaitable[None] | None:
            signature, payload = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
            if any(hmac.compare_digest(signature, _signature(key, channel, payload)) for key in self._keys):
                return heard(payload)
            self._refuse(channel)
            return None

        return judge

    def _refuse(self, channel: str) -> None:
        self._refused += 1
        if (now := time.monotonic()) - self._said_at >= SAY_SECONDS:
            meaning = "somebody else writes to Redis, or a process has another OGEL_SECRET or version"
            log.warning("realtime.not_signed", channel=channel, messages=self._refused, meaning=meaning)
            self._refused, self._said_at = 0, now


def _key(secret: str) -> bytes:
    """Derives a key for this purpose alone; the vault derives others."""
    return hmac.digest(secret.encode(), b"ogel broadcast v1", "sha256")


def _signature(key: bytes, channel: str, payload: bytes) -> bytes:
    return hmac.digest(key, b"%b\0%b" % (channel.encode(), payload), "sha256")
