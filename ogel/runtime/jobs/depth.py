"""How much waits in a queue, and who can say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct


class QueueDepth(Struct, frozen=True):
    """
    Of large queues an estimate. `pending` leaves out what is `held`. `oldest_seconds`: since when the oldest has been
    due that is not held, whatever it waits for.
    """

    pending: int
    running: int
    held: int
    dead: int
    oldest_seconds: float


STATUSES = ("pending", "running", "held", "dead")
# By queue: every queue there is, those without jobs too.
AskDepths = Callable[[], Awaitable[Mapping[str, QueueDepth]]]
