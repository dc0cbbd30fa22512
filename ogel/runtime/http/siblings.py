"""
Several processes on one port, under a parent that serves nothing itself. The parent keeps copies of all sockets, so
that clients in the backlog of a child that died are served by its successor.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence

import structlog

from ogel.kernel.errors import ConfigError, Unavailable
from ogel.runtime.http.server import bind, free_port
from ogel.runtime.http.sibling import Sibling
from ogel.runtime.process.lifecycle import MARGIN_SECONDS, run_until_stopped, unless_stopped

log = structlog.get_logger(__name__)

# Seconds before each attempt to restart a child. One that was ready for STEADY_SECONDS gets all attempts anew.
PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
STEADY_SECONDS = 10.0
# Clients in a backlog wait this long for a successor. Then they are disconnected, and new clients reach the others.
PATIENCE_SECONDS = 15.0


class Siblings:
    """Runs several processes of `command`, by default this process's own command line."""

    def __init__(
        self,
        host: str,
        port: int,
        processes: int,
        drain_seconds: float,
        command: Sequence[str] | None = None,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        if not hasattr(socket, "SO_REUSEPORT"):
            raise ConfigError("--processes needs SO_REUSEPORT, which this system does not have")
        self._host, self._port = host, port
        self._processes = processes
        self._drain_seconds = drain_seconds
        self._command = list(command or [sys.executable, *sys.orig_argv[1:]])
        self._pauses = pauses_seconds
        self._patience_seconds = patience_seconds
        self._code = 0

    async def run(self, stop: asyncio.Event, ready: Callable[[int], None] = lambda port: None) -> int:
        """
        Runs until SIGTERM, SIGINT or `stop`; only on the main thread. Calls `ready` with the port when all children are
        ready. Returns the exit code: 0 when all ended well. Raises ConfigError when the port is taken, Unavailable when
        a child keeps dying.
        """
        self._port = free_port(self._host, self._port)
        siblings = [
            Sibling(f"{number}/{self._processes}", self._bind()) for number in range(1, self._processes + 1)
        ]

        async def serve(stop: asyncio.Event) -> None:
            try:
                await unless_stopped(self._serve(siblings, ready), stop)
            finally:
                await self._end(siblings)

        # Longer than a child takes to drain, so that there is time to see it end.
        await run_until_stopped([("siblings", serve)], stop, self._drain_seconds + MARGIN_SECONDS)
        log.info("process.stopped", exit_code=self._code)
        return self._code

    async def _serve(self, siblings: Sequence[Sibling], ready: Callable[[int], None]) -> None:
        """
        Runs until a child is given up. The first starts alone: it migrates, and reports problems with settings or
        servers once.
        """
        first, *others = siblings
        first.start(self._command)
        if not await first.becomes_ready():
            self._code = _exit_code(await first.death())
            return
        for sibling in others:
            sibling.start(self._command)
        try:
            async with asyncio.TaskGroup() as group:
                for sibling in siblings:
                    group.create_task(self._keep(sibling), name=f"sibling {sibling.name}")
                for sibling in siblings:
                    await sibling.ready.wait()
                log.info("process.ready", host=self._host, port=self._port, processes=len(siblings))
                ready(self._port)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _keep(self, sibling: Sibling) -> None:
        tries = 0
        while True:
            code = await sibling.death()
            if sibling.ready_seconds >= STEADY_SECONDS:
                tries = 0
            if tries == len(self._pauses):
                raise Unavailable(
                    f"API process {sibling.name} died again and again, and was started again {tries} times; its last"
                    f" exit code is {code}"
                )
            await self._bring_back(sibling, code, self._pauses[tries])
            tries += 1

    async def _bring_back(self, sibling: Sibling, code: int, pause: float) -> None:
        log.error(
            "sibling.died", process=sibling.name, pid=sibling.pid, exit_code=code, again_in_seconds=pause
        )
        awaited = sibling.ready.is_set() and pause == 0.0
        if not awaited:
            sibling.let_go(self._bind())
        await asyncio.sleep(pause)
        sibling.start(self._command)
        if not awaited:
            return
        try:
            async with asyncio.timeout(self._patience_seconds):
                await sibling.becomes_ready()
        except TimeoutError:
            log.error("sibling.slow", process=sibling.name, pid=sibling.pid, seconds=self._patience_seconds)
            sibling.kill()  # it would listen on the same sockets; its successor gets new ones

    async def _end(self, siblings: Sequence[Sibling]) -> None:
        """Closes the parent's copies first: in a backlog that only the parent holds nobody would be served."""
        for sibling in siblings:
            sibling.let_go()
        patience = self._drain_seconds + MARGIN_SECONDS
        codes = await asyncio.gather(*(sibling.end(patience) for sibling in siblings))
        for sibling in siblings:
            sibling.hang_up()
        self._code = self._code or next((_exit_code(code) for code in codes if code), 0)

    def _bind(self) -> list[socket.socket]:
        return bind(self._host, self._port, shared=True)


def _exit_code(code: int) -> int:
    """Returns an exit code as shells do: 137 for killed."""
    return code if code >= 0 else 128 - code
