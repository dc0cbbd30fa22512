"""A cache of keys that the database has just accepted, so that it is not asked at each request."""

from __future__ import annotations

import time

from ogel.kernel.principal import Principal

# An entry is used no longer than this after the database was asked, whether or not a revocation is announced.
BELIEVED_SECONDS = 0.9
MOST_KEYS = 10_000


class KeyMemory:
    """
    Caches principals by the hash of their key. Holds accepted keys only; for any other key, or an older entry, the
    database must be asked.
    """

    def __init__(self) -> None:
        # In the order in which the database was asked; each with the monotonic time at which it expires.
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._news_at = float("-inf")

    def find(self, key_hash: bytes) -> Principal | None:
        found = self._known.get(key_hash)
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def remember(
        self, key_hash: bytes, principal: Principal, asked_at: float, expires_in_seconds: float | None
    ) -> None:
        """`asked_at` is the monotonic time before the question; `expires_in_seconds` counts from there."""
        if asked_at <= self._news_at:  # the answer may be older than the news
            return
        seconds = (
            BELIEVED_SECONDS if expires_in_seconds is None else min(BELIEVED_SECONDS, expires_in_seconds)
        )
        self._known.pop(key_hash, None)
        self._known[key_hash] = (principal, asked_at + seconds)
        self._drop_oldest()

    def forget_all(self) -> None:
        """Called when a key has changed."""
        self._known.clear()
        self._news_at = time.monotonic()

    def _drop_oldest(self) -> None:
        """Removes expired entries, and the oldest ones when there are too many."""
        now = time.monotonic()
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= MOST_KEYS and self._known[oldest][1] > now:
                return
            del self._known[oldest]
