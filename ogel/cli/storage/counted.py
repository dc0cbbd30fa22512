"""How far one transfer is, for the progress of all of them; and that it does not end with a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ogel.kernel.errors import Unavailable

Value = TypeVar("Value")

# A suite that is deployed anew is back by then.
_TRIES, _FIRST_SECONDS = 6, 0.5

# Called with how many bytes went since it was called last; raises to end the transfer.
Moved = Callable[[int], None]


class Counted:
    """Of a transfer that may begin again further behind: what goes twice counts once."""

    def __init__(self, moved: Moved) -> None:
        self._moved = moved
        self._at = 0

    def reach(self, position: int) -> None:
        self._moved(position - self._at)
        self._at = position


def patiently(work: Callable[[], Value], moved: Moved = lambda _: None) -> Value:
    """Does it again, after a growing while, when nobody answered. Raises Unavailable after the last time."""
    for tries in range(_TRIES - 1):
        try:
            return work()
        except Unavailable:
            time.sleep(_FIRST_SECONDS * 2**tries)
            moved(0)
    return work()
