"""All connections of a server: their number, which idle ones are closed to make room, and which have timed out."""

from __future__ import annotations

import asyncio
import resource
import select
from contextlib import suppress

import structlog
from starlette.types import ASGIApp

from ogel.runtime.http.http1 import Http1, State
from ogel.runtime.http.metrics import Traffic
from ogel.runtime.http.successor import Successor

log = structlog.get_logger()

STALLED_SECONDS = 30.0  # a peer that reads nothing for this long, while data waits for it, is cut off
STALLED_SECONDS_STOPPING = 2.0  # the same, once the server is stopping
_LOOK_SECONDS = 0.5
_CANCEL_SECONDS = 5.0
# The share of file descriptors that connections leave to the rest of the process: database, Redis, deliveries, files.
_RESERVED_SHARE = 4
_RESERVED_LEAST = 64
# Connections beyond the limit that are still accepted, for health checks.
_MOST_OVER_LIMIT = 16
LOGGED_AGAIN_SECONDS = 60.0  # between two lines about a condition that lasts
# POLLRDHUP tells, without a read, that the peer has closed its side. Not every system has it.
_LEFT = getattr(select, "POLLRDHUP", 0)
_BROKEN = select.POLLHUP | select.POLLERR


class Connections:
    """
    stopping  every answer from now on is its connection's last, and says so.
    most      more are refused, once nobody idle can make room for them.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic, most: int | None = None) -> None:
        self.app = app
        self.traffic = traffic
        self.stopping = False
        self.stopping_since: float | None = None
        self.most = most or _most()
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._arriving = 0
        self._all: set[Http1] = set()
        self._successors: set[Successor] = set()  # of connections that HTTP has no part in any more
        # Connections that have never sent a request, and those that are idle between two; each with the oldest first.
        self._never_asked: dict[Http1, None] = {}
        self._idle: dict[Http1, None] = {}
        self._over_limit: dict[Http1, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._logged_at = float("-inf")

    def make(self) -> Http1:
        """Makes a connection for an accepted socket. It calls `entered` once it is connected, or `never_came`."""
        over_limit = len(self) >= self.most and not self.make_room()
        self._arriving += 1
        self._empty.clear()
        return Http1(self, over_limit)

    def never_came(self) -> None:
        self._arriving -= 1
        self._tell_if_empty()

    def entered(self, connection: Http1) -> None:
        self._arriving -= 1
        self._all.add(connection)
        self.traffic.connections += 1
        if not connection.over_limit:
            self._never_asked[connection] = None
            return
        self._over_limit[connection] = None
        if len(self._over_limit) > _MOST_OVER_LIMIT:
            self.refused(503)
            self._dismiss(next(iter(self._over_limit)))

    def __len__(self) -> int:
        return self._arriving + len(self._all) + len(self._successors)

    def changed(self, connection: Http1) -> None:
        """Called by a connection when its state has changed."""
        if connection.over_limit:
            return
        if connection.state is State.BUSY or connection.state is State.UPGRADED:
            self._forget(connection)
        elif connection.state in (State.IDLE, State.HEAD) and connection not in self._never_asked:
            self._idle[connection] = None

    def taken(self, connection: Http1, successor: Successor) -> None:
        """The successor has this connection's socket now, and looks after itself."""
        self._all.discard(connection)
        self._forget(connection)
        self._successors.add(successor)

    def left(self, connection: Http1 | Successor) -> None:
        self.traffic.connections -= 1
        if isinstance(connection, Http1):
            self._all.discard(connection)
            self._forget(connection)
        else:
            self._successors.discard(connection)
        self._tell_if_empty()

    def refused(self, status: int) -> None:
        self.traffic.refused[status] = self.traffic.refused.get(status, 0) + 1

    async def watch(self) -> None:
        """Ends connections that have timed out, at most a quarter of that time late."""
        while True:
            stalled = STALLED_SECONDS_STOPPING if self.stopping else STALLED_SECONDS
            await asyncio.sleep(min(_LOOK_SECONDS, stalled / 4))
            self._look(stalled)
            self._look_at_unread()

    def stop(self) -> None:
        self.stopping = True
        self.stopping_since = self.now()

    async def drain(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        if not len(self):
            return
        log.warning("http.cut_off", connections=len(self), after_seconds=seconds)
        for connection in list(self._all):
            connection.cancel()
        for successor in list(self._successors):
            successor.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._empty.wait()
        for connection in list(self._all):
            connection.abort()

    def make_room(self) -> bool:
        """Closes an idle connection, to make room for a new one. Returns False when every connection is busy."""
        self._warn_full()
        for group in (self._never_asked, self._idle):
            if group:
                self.traffic.evicted += 1
                self._dismiss(next(iter(group)))
                return True
        return False

    def _dismiss(self, connection: Http1) -> None:
        self._forget(connection)
        connection.abort()

    def _forget(self, connection: Http1) -> None:
        for group in (self._never_asked, self._idle, self._over_limit):
            group.pop(connection, None)

    def _tell_if_empty(self) -> None:
        if not len(self):
            self._empty.set()

    def _warn_full(self) -> None:
        now = self.now()
        if now - self._logged_at >= LOGGED_AGAIN_SECONDS:
            log.warning("http.crowded", connections=len(self), most=self.most, files=_file_limit())
        self._logged_at = now

    def _look(self, stalled_seconds: float) -> None:
        now = self.now()
        for connection in list(self._all):
            try:
                connection.look(now, stalled_seconds)
            except Exception:
                # An error here must not end the watch, because all other connections rely on it.
                log.exception("http.connection_broke")
                connection.abort()

    def _look_at_unread(self) -> None:
        """
        A disconnect is noticed by reading, and these connections are not read: their applications are slow, or data
        waits.
        """
        unread = {each.fileno(): each for each in self._all if not each.reads}
        unread.pop(-1, None)
        if not unread:
            return
        poll = select.poll()
        for file in unread:
            poll.register(file, _LEFT)
        for file, events in poll.poll(0):
            unread[file].peer_hung_up(bool(events & _BROKEN))


def _file_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _most() -> int:
    files = _file_limit()
    if files == resource.RLIM_INFINITY:
        return 1 << 20
    return max(1, files - max(_RESERVED_LEAST, files // _RESERVED_SHARE))
