"""One of several processes that share a port: the child's view of itself, and the parent's handle on it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import MutableMapping, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct

from ogel.runtime.process.lifecycle import unless_stopped

log = structlog.get_logger(__name__)

# The environment variable that a child is configured by: `2/4 7,8 9` is the second of four, the descriptors of its
# sockets, and that of the socket pair to its parent.
_VARIABLE = "_OGEL_SIBLING"
_READY = b"r"


class SiblingSlot(Struct, frozen=True):
    """What a child gets from its parent. `line`, one end of a socket pair, is closed when the parent ends."""

    name: str  # 2/4
    sockets: Sequence[socket.socket]
    line: socket.socket

    @staticmethod
    def taken_from(environment: MutableMapping[str, str]) -> SiblingSlot | None:
        """
        Returns None when this process is no such child. The variable is removed, so that its own children do not see
        it.
        """
        if (value := environment.pop(_VARIABLE, None)) is None:
            return None
        name, listeners, line = value.split()
        return SiblingSlot(name, [_inherited(number) for number in listeners.split(",")], _inherited(line))

    def say_ready(self, port: int) -> None:
        with suppress(OSError):  # the parent has gone, which `until_alone` notices
            self.line.send(_READY)

    async def until_alone(self, stop: asyncio.Event) -> None:
        """
        Returns at `stop`, or when the parent has gone for whatever reason, since nobody else would stop this process.
        """
        if await unless_stopped(_until_ended(self.line), stop):
            log.warning("sibling.alone", meaning="the parent process has gone")


class Sibling:
    """The parent's handle on a child. The parent also holds the child's sockets, which therefore outlive it."""

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
        """Returns for how many seconds it has been ready."""
        return max(0.0, asyncio.get_running_loop().time() - self._ready_at)

    def start(self, command: Sequence[str]) -> None:
        """Starts the child in a process group of its own: Ctrl-C goes to the parent, which then stops its children."""
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
        """Waits for its end, and sets `ready` on the way. Returns the exit code; -9: it was killed."""
        assert self._process is not None
        while await self.becomes_ready():
            pass
        # The child has closed its end of the line, which happens when it ends.
        return await asyncio.to_thread(self._process.wait)

    async def becomes_ready(self) -> bool:
        """Waits until it is ready. Returns False when it ended instead."""
        assert self._line is not None
        if await asyncio.get_running_loop().sock_recv(self._line, 1) != _READY:
            return False
        self._ready_at = asyncio.get_running_loop().time()
        self.ready.set()
        return True

    async def end(self, seconds: float) -> int:
        """Sends SIGTERM, and SIGKILL after `seconds`. Returns the exit code; 0 when it had ended before."""
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
        # A child that is still importing modules has no handler for SIGTERM yet.
        return 0 if code == -signal.SIGTERM else code

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def let_go(self, successors: Sequence[socket.socket] = ()) -> None:
        """
        Closes the parent's copies of its sockets. If the child has none either, clients in the backlog are
        disconnected.
        """
        for each in self._sockets:
            each.close()
        self._sockets = list(successors)

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()


def _inherited(number: str) -> socket.socket:
    """Opens an inherited descriptor, which this process does not pass on to its own children."""
    given = socket.socket(fileno=int(number))
    given.set_inheritable(False)
    given.setblocking(False)
    return given


async def _until_ended(line: socket.socket) -> None:
    with suppress(OSError):
        await asyncio.get_running_loop().sock_recv(line, 1)
