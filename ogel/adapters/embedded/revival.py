"""Restarts servers that die while ogel runs, unless they die too often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from ogel.adapters.embedded.postgres import Postgres
from ogel.adapters.embedded.server import CalledOff, DiskFull, Server
from ogel.adapters.embedded.servers import EmbeddedServers
from ogel.kernel.errors import OgelError, Unavailable
from ogel.runtime.process.lifecycle import Service, run_together

# Imports that are needed only after the servers have started.
if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

    from ogel.runtime.database.faults import DatabaseAway

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.2
# Seconds before each try to restart a server. One that stays up for STEADY_SECONDS gets all tries anew.
PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
STEADY_SECONDS = 10.0
# Seconds between the tries of a server whose disk is full; these are not counted.
FULL_SECONDS = 3.0


class Revival:
    """
    A service beside the platform's own. What clients of a server have under way when it dies fails, and is theirs to
    repeat; what the server confirmed is there when it is back.
    """

    def __init__(
        self,
        servers: EmbeddedServers,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        steady_seconds: float = STEADY_SECONDS,
    ) -> None:
        self._servers = servers
        self._pauses = pauses_seconds
        self._steady_seconds = steady_seconds
        self._restarts: Counter | None = None
        self._down: dict[str, OgelError] = {}

    def count_in(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter

        self._restarts = Counter(
            "ogel_embedded_restarts_total",
            "Times that an embedded server died and was started again.",
            ["server"],
            registry=registry,
        )

    def database_fault(self) -> DatabaseAway | None:
        """Returns why PostgreSQL is away; None: as far as we know it is not."""
        from ogel.runtime.database.faults import DatabaseDiskFull, DatabaseStarting, told

        down = self._down.get(Postgres.name)
        if down is None:
            return None
        return told(DatabaseDiskFull if isinstance(down, DiskFull) else DatabaseStarting)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop`, on the main thread. Raises Unavailable when a server keeps dying."""
        services = [(f"embedded {server.name}", self._keeping(server)) for server in self._servers.running()]
        await run_together(services, stop, drain_seconds=0.0)

    def _keeping(self, server: Server) -> Service:
        async def keep(stop: asyncio.Event) -> None:
            tries, back_at = 0, _now()
            while not stop.is_set():
                if (death := server.death) is not None:
                    tries = 0 if _now() - back_at >= self._steady_seconds else tries
                    tries = await self._bring_back(server, death, tries, stop)
                    back_at = _now()
                await _pause(WATCH_SECONDS, stop)

        return keep

    async def _bring_back(self, server: Server, death: str, tries: int, stop: asyncio.Event) -> int:
        """Returns how many tries have been made, also once `stop` is set."""
        died_at = _now()
        self._down[server.name] = failure = server.failure(f"died, {death}")
        trouble = failure.message
        log.error("embedded.server_died", server=server.name, error=trouble)
        pause = 0.0
        while tries < len(self._pauses) and not stop.is_set():
            await _pause(pause or self._pauses[tries], stop)
            try:
                await self._servers.revive(server, stop.is_set)
            except CalledOff:
                break
            except OgelError as error:
                trouble, self._down[server.name] = error.message, error
                log.warning("embedded.server_not_back", server=server.name, tries=tries + 1, error=trouble)
                if isinstance(error, DiskFull):
                    # Freeing space may take its time, and whoever does it expects the server to return by itself.
                    pause = FULL_SECONDS
                else:
                    pause, tries = 0.0, tries + 1
                continue
            tries += 1
            self._down.pop(server.name)
            log.info(
                "embedded.server_back", server=server.name, tries=tries, seconds=round(_now() - died_at, 3)
            )
            if self._restarts is not None:
                self._restarts.labels(server.name).inc()
            return tries
        if stop.is_set():
            return tries
        raise Unavailable(
            f"the embedded {server.title} died again and again, and was started {tries} times; its log is"
            f" {server.log_path}. The last time: {trouble}"
        )


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
