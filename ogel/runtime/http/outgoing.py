"""The output of a connection: counted, paused while the peer is slow, and cut off when the peer reads nothing."""

from __future__ import annotations

import asyncio

import structlog

from ogel.runtime.http.metrics import Traffic

log = structlog.get_logger()


class Outgoing:
    def __init__(self, transport: asyncio.Transport, traffic: Traffic) -> None:
        self._transport = transport
        self._traffic = traffic
        self._writable: asyncio.Event | None = None  # set while writing is paused
        self._written = 0  # bytes written so far, to the socket or its buffer
        self._taken = 0  # bytes of them that the peer had received when last checked
        self._taken_at = 0.0

    def write(self, data: bytes) -> None:
        self._written += len(data)
        self._traffic.sent += len(data)
        self._transport.write(data)

    async def drained(self) -> None:
        """Waits until the peer has received enough of what was written, or has gone."""
        if self._writable is not None:
            await self._writable.wait()

    def pause(self) -> None:
        self._writable = self._writable or asyncio.Event()
        self._writable.clear()

    def resume(self) -> None:
        if self._writable is not None:
            self._writable.set()

    def cut_off_if_stalled(self, now: float, seconds: float) -> None:
        """
        Cuts off a peer that has received nothing for so long although data waits for it. The kernel's count of received
        bytes decides, so a slow peer is safe, however large the answer.
        """
        waiting = self._waiting()
        taken = self._written - waiting
        if not waiting or taken != self._taken:
            self._taken, self._taken_at = taken, now
        elif now - self._taken_at >= seconds:
            log.info("http.stalled", bytes=waiting, seconds=round(now - self._taken_at, 1))
            self._transport.abort()

    def _waiting(self) -> int:
        try:
            return self._transport.get_write_buffer_size()
        except RuntimeError:  # how uvloop reports a closed socket
            return 0
