"""
How long whoever asks the database waits for an answer.

PostgreSQL's own time-outs are no help against a server that hangs with its disk or its machine: the kernel still
acknowledges what it is sent, and it is sent for good. So the wait for each answer ends on our side, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

# Longer than the server itself lets a statement take, so that it is the one to say so.
USUAL_SECONDS = 60.0
# Somebody waits for the answer of a request, and asks again.
REQUEST_SECONDS = 10.0

# What was started on behalf of a request has its patience, too.
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("patience", default=lambda: USUAL_SECONDS)


def _of_a_request() -> float:
    return REQUEST_SECONDS


def seconds_left() -> float:
    """For the answer that is waited for next."""
    return _seconds_left.get()()


def be_patient_as_a_request() -> None:
    """From here on in this task: nothing that is asked is waited for longer than a request waits."""
    _seconds_left.set(_of_a_request)


def patience(seconds: float) -> AbstractContextManager[None]:
    """With each answer in the block."""
    return _leaving(lambda: seconds)


def patience_in_all(seconds: float) -> AbstractContextManager[None]:
    """With all answers in the block together, and the wait for a connection."""
    ends = time.monotonic() + seconds
    return _leaving(lambda: max(0.0, ends - time.monotonic()))


@contextmanager
def _leaving(left: Callable[[], float]) -> Iterator[None]:
    token = _seconds_left.set(left)
    try:
        yield
    finally:
        _seconds_left.reset(token)
