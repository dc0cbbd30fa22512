"""One of several processes that share a port: what it knows of its place, and what its parent has of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from ogel.runtime.process.lifecycle import unless_stopped

log = structlog.get_logger(__name__)

# How a child learns its place: `2/4 7,8 9` is the second of four, its sockets, and its line to the parent.
_VARIABLE = "_OGEL_SIBLING"
_READY = b"r"


@dataclass(frozen=True, slots=True)
class SiblingSlot:
    """What a child was given. The line ends when its parent does."""

    name: str  # 2/4
    sockets: Sequence[socket.socket]
    line: socket.socket

    @staticmethod
    def taken_from(environment: MutableMapping[str, str]) -> SiblingSlot | None:
        """None: nobody's child. What it starts itself does not find it."""
        if (value := environment.pop(_VARIABLE, None)) is None:
            return None
        name, listeners, line = value.split()
        return SiblingSlot(name, [_inherited(number) for number in listeners.split(",")], _inherited(line))

    def say_ready(self, port: int) -> None:
        with suppress(OSError):  # the parent has gone, as `until_alone` sees
            self.line.send(_READY)

    async def until_alone(self, stop: asyncio.Event) -> None:
        """Returns at `stop`, or when the parent has gone, however it went: nobody else would stop us."""
        if await unless_stopped(_until_ended(self.line), stop):
            log.warning("sibling.alone", meaning="the parent process has gone")


class Sibling:
    """The parent's side. Its sockets are the parent's too, and outlive it."""

    def __init__(self, name: str, sockets: list[socket.socket]) -> None:
        self.name = name
        self.ready = asyncio.Event()  # of the process that was started last
        self._ready_at = float("inf")
        self._sockets = sockets
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def ready_seconds(self) -> float:
        """For how long it has been ready."""
        return max(0.0, asyncio.get_running_loop().time() - self._ready_at)

    def start(self, command: Sequence[str]) -> None:
        """In a process group of its own: Ctrl-C on a terminal is for the parent, who tells it."""
        self.hang_up()
        self.ready.clear()
        self._ready_at = float("inf")
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        with theirs:
            numbers = [each.fileno() for each in self._sockets]
            place = f"{self.name} {','.join(map(str, numbers))} {theirs.fileno()}"
            self._process = subprocess.Popen(
                command,
                env={**os.environ, _VARIABLE: place},
                stdin=subprocess.DEVNULL,
                pass_fds=(*numbers, theirs.fileno()),
                process_group=0,
            )

    async def death(self) -> int:
        """Waits for it, noticing on the way when it is ready. Returns the exit code; -9: it was killed."""
        assert self._process is not None
        while await self.becomes_ready():
            pass
        # It has closed the line, which it does by ending.
        return await asyncio.to_thread(self._process.wait)

    async def becomes_ready(self) -> bool:
        """Waits until it says so. False: it ended instead."""
        assert self._line is not None
        if await asyncio.get_running_loop().sock_recv(self._line, 1) != _READY:
            return False
        self._ready_at = asyncio.get_running_loop().time()
        self.ready.set()
        return True

    async def end(self, seconds: float) -> int:
        """SIGTERM, and SIGKILL `seconds` later. Returns the exit code, 0 when it had ended before."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.terminate()
        try:
            async with asyncio.timeout(seconds):
                code = await self.death()
        except TimeoutError:
            log.error("sibling.late", process=self.name, pid=self.pid)
            self.kill()
            return await self.death()
        # One that was still being imported does not know SIGTERM yet.
        return 0 if code == -signal.SIGTERM else code

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def let_go(self, successors: Sequence[socket.socket] = ()) -> None:
        """Closes our copies of its sockets: when it has none, whoever is in their backlog is let go too."""
        for each in self._sockets:
            each.close()
        self._sockets = list(successors)

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()


def _inherited(number: str) -> socket.socket:
    """Not to be inherited any further."""
    given = socket.socket(fileno=int(number))
    given.set_inheritable(False)
    given.setblocking(False)
    return given


async def _until_ended(line: socket.socket) -> None:
    with suppress(OSError):
        await asyncio.get_running_loop().sock_recv(line, 1)
