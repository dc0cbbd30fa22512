"""Limits how many unknown keys a client may try, before Postgres is asked about the next one."""

from __future__ import annotations

import time

from ogel.kernel.principal import ANONYMOUS
from ogel.runtime.rates.limiter import Limiter, refusal

RATE = "wrong_keys"
# A program with one wrong key repeats it; within this time that counts as one guess.
SAME_SECONDS = 10.0
MOST_WRONG = 1_000
# Keys that were accepted by this process never count as guesses, whatever else their address sends.
MOST_MET = 10_000


class Guesses:
    """Knows keys by their hash."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        # Both are in order of insertion; `_wrong` maps to the time until which the key is known to be wrong.
        self._met: dict[bytes, None] = {}
        self._wrong: dict[bytes, float] = {}

    def is_wrong(self, key_hash: bytes) -> bool:
        """Whether the key was wrong a moment ago. That cannot change: a key made later has another hash."""
        until = self._wrong.get(key_hash)
        return until is not None and time.monotonic() < until

    async def allow(self, key_hash: bytes, client: str | None) -> None:
        """Must be called before Postgres is asked about a key. Raises RateLimited."""
        if key_hash in self._met:
            return
        verdict = await self._limiter.admit(ANONYMOUS, client, RATE)
        if verdict.refused_by:
            raise refusal(verdict)

    def was_none(self, key_hash: bytes, client: str | None) -> None:
        """Gives the allowance back: the key was no guess, or could not be checked."""
        if key_hash not in self._met:
            self._limiter.give_back(ANONYMOUS, client, RATE)

    def was_good(self, key_hash: bytes, client: str | None) -> None:
        self.was_none(key_hash, client)
        self._met[key_hash] = None
        if len(self._met) > MOST_MET:
            del self._met[next(iter(self._met))]

    def was_wrong(self, key_hash: bytes) -> None:
        self._met.pop(key_hash, None)
        self._wrong.pop(key_hash, None)
        self._wrong[key_hash] = time.monotonic() + SAME_SECONDS
        if len(self._wrong) > MOST_WRONG:
            del self._wrong[next(iter(self._wrong))]
