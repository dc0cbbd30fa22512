"""How far a job is, told from inside it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from msgspec import Struct

MOST_NOTE_CHARACTERS = 500


class JobProgress(Struct, frozen=True):
    """`total` is None while nobody knows it. `note` is for people."""

    done: float
    total: float | None = None
    note: str = ""


Hear = Callable[[JobProgress], None]
_hear: ContextVar[Hear | None] = ContextVar("hear_progress", default=None)


def report(done: float, total: float | None = None, note: str = "") -> None:
    """
    From a job's `perform`, as often as it likes: written about once a second, the last one counts. Costs nothing where
    no job runs.
    """
    hear = _hear.get()
    if hear is not None:
        hear(JobProgress(done, total, note.replace("\x00", "\ufffd")[:MOST_NOTE_CHARACTERS]))


def heard_by(hear: Hear) -> None:
    """Until the present task ends."""
    _hear.set(hear)
