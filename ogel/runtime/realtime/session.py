"""Code that the sessions of all transports share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Left = TypeVar("Left")

# Proxies, Railway's too, close idle connections.
PING_SECONDS = 25.0


async def until_left(writing: Coroutine[Any, Any, None], left: Coroutine[Any, Any, Left]) -> Left | None:
    """Runs both until either ends, and cancels the other. Returns None when the writer ended."""
    writer, watcher = asyncio.create_task(writing), asyncio.create_task(left)
    try:
        done, _ = await asyncio.wait((writer, watcher), return_when=asyncio.FIRST_COMPLETED)
    finally:
        writer.cancel()
        watcher.cancel()
        await asyncio.wait((writer, watcher))
    if writer in done:
        writer.result()
        return None
    return watcher.result()
