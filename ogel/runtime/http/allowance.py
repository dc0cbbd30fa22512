"""How much the client of a WebSocket may send: frames and bytes, over time and at once."""

from __future__ import annotations

import time

from msgspec import Struct

# The data of one read counts as at least so many bytes: what a packet costs us, however short.
LEAST_BYTES_OF_A_READ = 512


class Rates(Struct, frozen=True):
    """What is added each second, and what may be saved up. Every frame counts, pieces and control frames among them."""

    frames_per_second: float = 50
    frames_at_once: float = 100
    bytes_per_second: float = 256 * 1024
    bytes_at_once: float = 4 * 1024 * 1024


class Allowance:
    """Two token buckets for one client."""

    __slots__ = ("_at", "_bytes", "_frames", "_rates")

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._frames = rates.frames_at_once
        self._bytes = rates.bytes_at_once
        self._at = time.monotonic()

    def read(self, size: int) -> None:
        """Counts one read of the socket."""
        self._refill()
        self._bytes -= max(size, LEAST_BYTES_OF_A_READ)

    def frame(self) -> None:
        """Counts one frame. It may come long after it was read: an application reads as slowly as it likes."""
        self._refill()
        self._frames -= 1

    @property
    def is_exceeded(self) -> bool:
        return self._frames < 0 or self._bytes < 0

    @property
    def is_spent(self) -> bool:
        """Whether it was exceeded by as much again as may come at once."""
        return self._frames < -self._rates.frames_at_once or self._bytes < -self._rates.bytes_at_once

    def _refill(self) -> None:
        rates, now = self._rates, time.monotonic()
        passed, self._at = now - self._at, now
        self._frames = min(rates.frames_at_once, self._frames + passed * rates.frames_per_second)
        self._bytes = min(rates.bytes_at_once, self._bytes + passed * rates.bytes_per_second)
