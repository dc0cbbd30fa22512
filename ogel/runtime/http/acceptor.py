"""
Accepts connections, up to the last one in the backlog when it stops. The event loop's own server drops connections that
it accepted just before it closes, and clients in the backlog get a reset.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

import structlog

from ogel.runtime.http.connections import LOGGED_AGAIN_SECONDS, Connections
from ogel.runtime.http.http1 import Http1

log = structlog.get_logger(__name__)

# Accepted in one turn of the event loop, so that a crowd of new connections does not hold up the others: in the next
# turn all of them have a request, which takes ten times as long as accepting them.
_AT_ONCE = 16
# The process or the machine is out of files or memory. Accepting is retried after a pause instead of in a busy loop.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS = 1.0
_MOMENT_SECONDS = 0.02  # used when an idle connection has just been closed


class Acceptor:
    """Makes a connection of every socket it accepts, from `start` to `stop`."""

    def __init__(self, listeners: Sequence[socket.socket], connections: Connections) -> None:
        self._listeners = listeners
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._logged_at = float("-inf")
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener, _AT_ONCE)

    def stop(self, backlog: int) -> None:
        """
        Closes the listeners. Clients in their backlog already believe they are connected, so they are accepted first.
        """
        for listener in self._listeners:
            self._end_pause(listener)
            self._loop.remove_reader(listener)
            self._accept(listener, backlog)
            # Out of file descriptors: one may be free in a moment, but after this nobody would accept the connection.
            self._end_pause(listener)
            listener.close()

    def _end_pause(self, listener: socket.socket) -> None:
        if (pause := self._paused.pop(listener, None)) is not None:
            pause.cancel()

    def _accept(self, listener: socket.socket, at_most: int) -> None:
        for _ in range(at_most):
            try:
                client, _address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(
                        listener, error, _MOMENT_SECONDS if self._connections.make_room() else _PAUSE_SECONDS
                    )
                    return
                # This client has left (ECONNABORTED; Linux also reports errors of the client's network). The next one
                # may be there.
            else:
                client.setblocking(False)
                opening = self._loop.create_task(self._open(client, self._connections.make()))
                self._opening.add(opening)
                opening.add_done_callback(self._opening.discard)

    async def _open(self, client: socket.socket, connection: Http1) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError:
            # The client has left.
            self._connections.never_came()
            client.close()

    def _pause(self, listener: socket.socket, error: OSError, seconds: float) -> None:
        now = self._loop.time()
        if now - self._logged_at >= LOGGED_AGAIN_SECONDS:
            log.error("http.cannot_accept", error=error.strerror, again_after_seconds=seconds)
            self._logged_at = now
        self._loop.remove_reader(listener)
        self._paused[listener] = self._loop.call_later(
            seconds, self._loop.add_reader, listener, self._accept, listener, _AT_ONCE
        )
