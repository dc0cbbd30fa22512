"""Keys that the database has just called good, so that it need not be asked at each request."""

from __future__ import annotations

import time

from ogel.kernel.principal import Principal

# No key is believed for longer than this after the database was asked about it, whatever is heard, or not heard, of it.
BELIEVED_SECONDS = 0.9
MOST_KEYS = 10_000


class KeyMemory:
    """
    Principals by the hash of their key. Holds good keys only: of one that is not here, or no longer believed, the
    database must be asked.
    """

    def __init__(self) -> None:
        # In the order in which they were asked about, each with its end by the monotonic clock.
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._news_at = float("-inf")

    def find(self, key_hash: bytes) -> Principal | None:
        found = self._known.get(key_hash)
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def remember(
        self, key_hash: bytes, principal: Principal, asked_at: float, expires_in_seconds: float | None
    ) -> None:
        """`asked_at`: by the monotonic clock, before the question; the seconds count from the question on."""
        if asked_at <= self._news_at:  # the answer may be older than the news
            return
        seconds = (
            BELIEVED_SECONDS if expires_in_seconds is None else min(BELIEVED_SECONDS, expires_in_seconds)
        )
        self._known.pop(key_hash, None)
        self._known[key_hash] = (principal, asked_at + seconds)
        self._drop_oldest()

    def forget_all(self) -> None:
        """There is news of a key."""
        self._known.clear()
        self._news_at = time.monotonic()

    def _drop_oldest(self) -> None:
        """What is believed no more goes, and what is too many."""
        now = time.monotonic()
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= MOST_KEYS and self._known[oldest][1] > now:
                return
            del self._known[oldest]
