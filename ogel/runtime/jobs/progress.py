"""Progress of a job, reported from inside it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from msgspec import Struct

MOST_NOTE_CHARACTERS = 500


class JobProgress(Struct, frozen=True):
    """`total` is None while it is unknown; `note` is for people."""

    done: float
    total: float | None = None
    note: str = ""


Hear = Callable[[JobProgress], None]
_hear: ContextVar[Hear | None] = ContextVar("hear_progress", default=None)


def report(done: float, total: float | None = None, note: str = "") -> None:
    """
    Reports from inside a job's `perform`, as often as it likes. The last report is written about once a second. Does
    nothing where no job runs.
    """
    hear = _hear.get()
    if hear is not None:
        hear(JobProgress(done, total, note.replace("\x00", "\ufffd")[:MOST_NOTE_CHARACTERS]))


def heard_by(hear: Hear) -> None:
    """Receives the reports of the current task, until it ends."""
    _hear.set(hear)
