"""A circuit breaker: a dependency that is down costs a call now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

# After this many failures in a row the dependency is not called for this long; then one call tests whether it is back.
FAILURES = 5
OPEN_SECONDS = 30.0
# The longest pause that it may ask for: a nonsensical date in an answer must not silence it for a year.
MOST_OPEN_SECONDS = 600.0


class Breaker:
    """
    Guards one dependency, in one process. Closed, it lets every call through. After FAILURES in a row it is open for
    `open_seconds`, or as long as the dependency asked for. Then one call at a time may try, and a success closes it.

    is_patient  nothing but FAILURES, or what it asks for itself, opens it: where users choose what it is asked, what it
                says of us once may be about that alone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        is_patient: bool = False,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self._clock = clock
        self._open_seconds = open_seconds
        self._is_patient = is_patient
        self._failures = 0
        self._opens_until = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    @property
    def seconds_left(self) -> float:
        """Returns the seconds until a call may try; 0 when one may now."""
        if not self.is_open:
            return 0.0
        left = self._opens_until - self._clock()
        return max(left, 1.0 if self._trying else 0.0)

    def try_enter(self) -> bool:
        """
        Whether a call may be made. If so, the caller must report how it ended, by `succeeded`, `failed` or `left`.
        """
        if self.seconds_left > 0:
            return False
        self._trying = self.is_open
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._opens_until = 0.0
        self._trying = False

    def failed(self, *, seconds: float | None = None, at_once: bool = False) -> None:
        """
        Reports a failure. `seconds` is the pause that it asked for; `at_once` opens the breaker without further
        failures.
        """
        is_enough = seconds is not None or (at_once and not self._is_patient)
        self._failures = FAILURES if is_enough else self._failures + 1
        self._trying = False
        wait = self._open_seconds if seconds is None else min(seconds, MOST_OPEN_SECONDS)
        # Calls end in any order, so a later failure never shortens the pause of an earlier one.
        self._opens_until = max(self._opens_until, self._clock() + wait)

    def left(self) -> None:
        """Reports a call that was cancelled, and so neither succeeded nor failed."""
        self._trying = False
