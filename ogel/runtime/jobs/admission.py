"""Whether a request that causes jobs may come in: asked at the door, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogel.kernel.errors import Unavailable


class QueueFull(Unavailable):
    """503: nothing was written; the same may be accepted later."""


# Of the queues that a request will write to. Raises QueueFull naming the one that holds too much.
Admit = Callable[[Sequence[str]], None]
