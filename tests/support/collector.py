"""Without the garbage collector: what is left of what a block did."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def no_collector() -> Iterator[None]:
    """
    It looks, when asked to, at what is new in the block only; log lines of the block hold nothing. What was there
    before stays frozen: thousands of tests and all they import would have to be looked through again each time.
    """
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        with structlog.testing.capture_logs():
            yield
    finally:
        gc.enable()
