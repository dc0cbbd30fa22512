"""Runs services together and stops them together within a time limit, from the first signal to exit 0."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from ogel.kernel.errors import Restart

log = structlog.get_logger(__name__)

# Seconds for whatever remains after the drain time.
MARGIN_SECONDS = 10.0
# A library may swallow a cancellation, so it is repeated; a service that swallows all of them is abandoned.
CANCELLATIONS, CANCEL_SECONDS = 3, 5.0

Service = Callable[[asyncio.Event], Awaitable[None]]


async def run_until_stopped(
    services: Sequence[tuple[str, Service]], stop: asyncio.Event, drain_seconds: float
) -> None:
    """
    `run_together`, with handlers for SIGTERM and SIGINT that set `stop`. The former handlers are restored afterwards. A
    process that was told to stop does not restart.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, _request_stop, stop, told, number)
    try:
        await run_together(services, stop, drain_seconds)
    except Restart:
        if not told.is_set():
            raise
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def run_together(
    services: Sequence[tuple[str, Service]], stop: asyncio.Event, drain_seconds: float
) -> None:
    """
    Runs services until `stop` is set, by anyone or because one has ended. Each gets the event and must return once it
    is set; after `drain_seconds` plus a margin it is cancelled, and abandoned if that does not help. Raises the
    exception of the first service that failed.
    """
    tasks = [asyncio.create_task(_until_stop(service, stop), name=name) for name, service in services]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    _, late = await asyncio.wait(tasks, timeout=drain_seconds + MARGIN_SECONDS)
    for task in late:
        log.error("service.late", service=task.get_name())
    for task in await _cancel(late):
        log.critical("service.does_not_end", service=task.get_name())
    for task in tasks:
        if task.done() and not task.cancelled() and isinstance(error := task.exception(), Exception):
            raise error


async def _cancel(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Cancels tasks. Returns those that keep running."""
    for _ in range(CANCELLATIONS):
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
    return tasks


async def unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """
    Awaits the work, or cancels it when `stop` is set first. Returns whether it was completed; raises its exception.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _until_stop(service: Service, stop: asyncio.Event) -> None:
    try:
        await service(stop)
    finally:
        stop.set()


def _request_stop(stop: asyncio.Event, told: asyncio.Event, number: int) -> None:
    log.info("process.stopping", signal=signal.Signals(number).name)
    told.set()
    stop.set()
