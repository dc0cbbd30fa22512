"""
How long a caller waits for the database to answer.

PostgreSQL's own timeouts do not help when the server hangs with its disk or machine: the kernel still acknowledges what
is sent. So the wait for each answer ends on our side, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

# Longer than the server's statement timeout, so that the server is the one to report it.
USUAL_SECONDS = 60.0
# A client waits for the answer to its request, and will ask again.
REQUEST_SECONDS = 10.0

# Tasks started on behalf of a request inherit its timeout.
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("patience", default=lambda: USUAL_SECONDS)


def _of_a_request() -> float:
    return REQUEST_SECONDS


def seconds_left() -> float:
    """Returns the seconds left for the next answer."""
    return _seconds_left.get()()


def be_patient_as_a_request() -> None:
    """From now on, this task waits for no answer longer than a request may."""
    _seconds_left.set(_of_a_request)


def patience(seconds: float) -> AbstractContextManager[None]:
    """Limits the wait for each answer in the block."""
    return _leaving(lambda: seconds)


def patience_in_all(seconds: float) -> AbstractContextManager[None]:
    """Limits the wait for all answers in the block together, with the wait for a connection."""
    ends = time.monotonic() + seconds
    return _leaving(lambda: max(0.0, ends - time.monotonic()))


@contextmanager
def _leaving(left: Callable[[], float]) -> Iterator[None]:
    token = _seconds_left.set(left)
    try:
        yield
    finally:
        _seconds_left.reset(token)
