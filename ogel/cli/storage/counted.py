"""How far one transfer is, for the progress of all of them."""

from __future__ import annotations

from collections.abc import Callable

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
