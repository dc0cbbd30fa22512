"""A breaker before a dependency: a dead one costs a call now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

# A dependency that failed so often in a row is left alone so long; then one call asks whether it is back.
FAILURES = 5
OPEN_SECONDS = 30.0
# It may ask for more than that; a date in its answer that makes no sense must not silence it for a year.
MOST_OPEN_SECONDS = 600.0


class Breaker:
    """
    Of one dependency, in one process. Closed it lets everything through; after FAILURES in a row it is open for
    OPEN_SECONDS, or as long as the dependency asked for; then one call at a time may try, and a success closes it.

    is_patient  nothing but FAILURES, or what it asks for itself, opens it: where users choose what it is asked, what it
                says of us once may be about that alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, is_patient: bool = False) -> None:
        self._clock = clock
        self._is_patient = is_patient
        self._failures = 0
        self._opens_until = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    @property
    def seconds_left(self) -> float:
        """Until a call may try; 0 when one may now."""
        if not self.is_open:
            return 0.0
        left = self._opens_until - self._clock()
        return max(left, 1.0 if self._trying else 0.0)

    def try_enter(self) -> bool:
        """True: the caller must say how it ended, by `succeeded`, `failed` or `left`."""
        if self.seconds_left > 0:
            return False
        self._trying = self.is_open
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._opens_until = 0.0
        self._trying = False

    def failed(self, *, seconds: float | None = None, at_once: bool = False) -> None:
        """`seconds`: it asked to be left alone so long; `at_once`: no need of more failures to believe it."""
        is_enough = seconds is not None or (at_once and not self._is_patient)
        self._failures = FAILURES if is_enough else self._failures + 1
        self._trying = False
        wait = OPEN_SECONDS if seconds is None else min(seconds, MOST_OPEN_SECONDS)
        # Calls end in any order: none makes it earlier than another one heard.
        self._opens_until = max(self._opens_until, self._clock() + wait)

    def left(self) -> None:
        """It was neither: the call was cut short."""
        self._trying = False
