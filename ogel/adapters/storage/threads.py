"""Runs synchronous code in threads beside the event loop, for both stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_PAGE = 500


async def in_thread(function: Callable[[], Answer], executor: Executor | None = None) -> Answer:
    """Waits for the thread even when the caller is cancelled: what the thread works on must not be closed."""
    work = asyncio.get_running_loop().run_in_executor(executor, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()
        raise


async def in_pages(items: Iterator[Item]) -> AsyncIterator[Item]:
    """Iterates over `items` in threads, a page at a time."""
    while page := await in_thread(lambda: list(islice(items, _PAGE))):
        for item in page:
            yield item
