"""Tells a process's tallies of each minute that begins."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ogel.runtime.metrics.tallies import Tallies


async def turn_each_minute(tallies: Tallies, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(tallies.turn()):
                await stop.wait()
