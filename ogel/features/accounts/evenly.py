"""Answers that take the same time whether somebody has an account or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Longer than what is done for somebody who is there, and short for a person who waits.
STEP_SECONDS = 0.1


@asynccontextmanager
async def in_even_time(step_seconds: float = STEP_SECONDS) -> AsyncIterator[None]:
    """
    The block ends a whole number of steps after it began, with an error, too: a lock, a code, a template and a commit
    are lost in the wait. No connection is to be held outside the block's own transactions.
    """
    began = time.monotonic()
    try:
        yield
    except Exception:
        await _next_step(began, step_seconds)
        raise
    await _next_step(began, step_seconds)


async def _next_step(began: float, step_seconds: float) -> None:
    await asyncio.sleep(-(time.monotonic() - began) % step_seconds)
