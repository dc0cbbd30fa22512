"""Runs synchronous code in threads beside the event loop, for both stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_PAGE = 500
# What a thread gets to do at once, at least: less costs more to hand over than to work on.
BATCH_BYTES = 256 * 1024


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


async def in_pages(items: Iterator[Item], executor: Executor | None = None) -> AsyncIterator[Item]:
    """Iterates over `items` in threads, a page at a time."""
    while page := await in_thread(lambda: list(islice(items, _PAGE)), executor):
        for item in page:
            yield item


async def behind(
    content: AsyncIterable[bytes], work: Callable[[Sequence[bytes], bool], Awaitable[Answer]]
) -> Answer:
    """
    Calls `work` with batches of the content, one after the other, each while the next is waited for. With the last one,
    which may be empty, it is told so, and its answer is returned. Little content is one batch; two are held at most.
    """
    running: asyncio.Future[Answer] | None = None
    batch: list[bytes] = []
    length = 0
    try:
        async for piece in content:
            if length >= BATCH_BYTES:
                if running is not None:
                    await running
                running = asyncio.ensure_future(work(batch, False))
                batch, length = [], 0
            batch.append(piece)
            length += len(piece)
        if running is not None:
            await running
        return await work(batch, True)
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
