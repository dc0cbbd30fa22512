"""All connections of a server: who is here, who makes room for others, and who has taken too long."""

from __future__ import annotations

import asyncio
import resource
import select
from contextlib import suppress

import structlog
from starlette.types import ASGIApp

from ogel.runtime.http.http1 import Http1, State
from ogel.runtime.http.metrics import Traffic

log = structlog.get_logger()

STALLED_SECONDS = 30.0  # a peer that takes nothing for this long, though something waits for it, is cut off
STALLED_SECONDS_STOPPING = 2.0  # likewise, once we stop
_LOOK_SECONDS = 0.5
_CANCEL_SECONDS = 5.0
# Files that connections leave to everything else: the database, Redis, deliveries, files on disk.
_RESERVED_SHARE = 4
_RESERVED_LEAST = 64
# Beyond the limit, for questions about health.
_MOST_OVER_LIMIT = 16
LOGGED_AGAIN_SECONDS = 60.0  # of what goes on and on
# "The peer has shut its side down", where the system can tell that without a read.
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
        # The oldest first: who has never asked for anything, and who has nothing more to ask now.
        self._never_asked: dict[Http1, None] = {}
        self._idle: dict[Http1, None] = {}
        self._over_limit: dict[Http1, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._logged_at = float("-inf")

    def make(self) -> Http1:
        """For a socket that was accepted; it `entered` when it is connected, or `never_came`."""
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
        return self._arriving + len(self._all)

    def changed(self, connection: Http1) -> None:
        """Its state is another one."""
        if connection.over_limit:
            return
        if connection.state is State.BUSY or connection.state is State.UPGRADED:
            self._forget(connection)
        elif connection.state in (State.IDLE, State.HEAD) and connection not in self._never_asked:
            self._idle[connection] = None

    def left(self, connection: Http1) -> None:
        self._all.discard(connection)
        self.traffic.connections -= 1
        self._forget(connection)
        self._tell_if_empty()

    def refused(self, status: int) -> None:
        self.traffic.refused[status] = self.traffic.refused.get(status, 0) + 1

    async def watch(self) -> None:
        """Ends what has taken too long; a quarter of the time late at most."""
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
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._empty.wait()
        for connection in list(self._all):
            connection.abort()

    def make_room(self) -> bool:
        """For one more. False: everybody here is busy."""
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
                # All others rely on being looked at, too.
                log.exception("http.connection_broke")
                connection.abort()

    def _look_at_unread(self) -> None:
        """Who leaves is noticed by a read, and these are not read: their applications are slow, or others wait."""
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
