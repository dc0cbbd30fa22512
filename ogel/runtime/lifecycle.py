"""From the first signal to exit 0: run services together, stop them together, within a limit."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import structlog

log = structlog.get_logger(__name__)

Service = Callable[[asyncio.Event], Awaitable[None]]


async def run_until_stopped(
    services: Sequence[tuple[str, Service]], stop: asyncio.Event, drain_seconds: float
) -> None:
    """
    Runs every service until `stop` is set by SIGTERM, SIGINT or a service that ended. Each gets the event and must
    return once it is set; whoever has not within `drain_seconds` plus a margin is cancelled. Raises what the first
    failing service raised.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _request_stop, stop, number)
    tasks = {asyncio.create_task(_until_stop(service, stop), name=name) for name, service in services}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=drain_seconds + 10.0)
        for task in late:
            log.error("service.late", service=task.get_name())
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _until_stop(service: Service, stop: asyncio.Event) -> None:
    try:
        await service(stop)
    finally:
        stop.set()


def _request_stop(stop: asyncio.Event, number: int) -> None:
    log.info("process.stopping", signal=signal.Signals(number).name)
    stop.set()
