"""A connection: hypercorn's, from the accepted socket to its end, with an eye on whether the peer still reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import structlog
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.events import Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.typing import (
    AppWrapper,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    ConnectionState,
    Scope,
)
from hypercorn.utils import parse_socket_addr

from ogel.runtime.http.exchange import HANG_UP
from ogel.runtime.http.inbox import Inbox
from ogel.runtime.http.metrics import Traffic
from ogel.runtime.http.protocol import Http1

log = structlog.get_logger()

# A peer that we refuse in the middle of its sending gets this long to read why: a socket closed on unread data
# is reset, and the reset would overtake our last words.
LINGER_SECONDS = 1.0
LAST_REQUEST_SECONDS = 1.0


class Connection(TCPServer):
    """Speaks HTTP/1.1 and WebSocket, in the clear: TLS and HTTP/2 end at the proxy."""

    _written = 0  # bytes ever, to the socket or to what waits for it
    _taken = 0  # of them by the peer's side, when last looked at
    _taken_at = 0.0
    _left = False

    def __init__(self, *arguments: Any, traffic: Traffic) -> None:
        super().__init__(*arguments)
        self._traffic = traffic

    async def run(self) -> None:
        socket = self.writer.get_extra_info("socket")
        try:
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            async with _Tasks(self.loop, self._cut_off_soon) as tasks:
                self._task_group = tasks
                protocol = Http1(
                    self.app, self.config, self.context, tasks, ConnectionState(self.state),
                    False, client, server, self.protocol_send, hang_up=self._cut_off_soon,
                    traffic=self._traffic,
                )  # fmt: skip
                self.protocol = cast(ProtocolWrapper, protocol)  # the same two methods
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass  # the peer is gone
        finally:
            await self._close()

    async def _idle_timeout(self) -> None:
        """
        When the server stops, a request may be on its way to a connection that hangs up for being idle, and would be
        lost: so it has a moment to arrive, and its response says that it is the last.
        """
        try:
            # Not `wait_for`, which before Python 3.12 may swallow that a request came (and cancelled this).
            async with asyncio.timeout(self.config.keep_alive_timeout):
                await self.context.terminated.wait()
        except TimeoutError:
            pass
        else:
            await asyncio.sleep(LAST_REQUEST_SECONDS)
        await asyncio.shield(self._initiate_server_close())

    async def _read_data(self) -> None:
        """Hypercorn would keep a connection whose peer has gone as long as an idle one, with all that belongs to it."""
        await super()._read_data()
        self._left = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            self._written += len(event.data)
            self._traffic.sent += len(event.data)
        elif isinstance(event, Updated) and self._left:
            return
        await super().protocol_send(event)

    def cut_off_if_stalled(self, seconds: float) -> None:
        """For regular looks: cuts off a peer that has taken nothing for so long, though something waits for it.

        Taking is what the kernel sees, so a slow peer is safe, however large the answer.
        """
        waiting = self._waiting()
        taken, now = self._written - waiting, self.loop.time()
        if not waiting or taken != self._taken:
            self._taken, self._taken_at = taken, now
        elif now - self._taken_at >= seconds:
            log.info("http.stalled", bytes=waiting, seconds=round(now - self._taken_at, 1))
            self.writer.transport.abort()

    async def _close(self) -> None:
        with suppress(OSError):  # of the peer, which is gone
            await super()._close()

    def _waiting(self) -> int:
        try:
            return self.writer.transport.get_write_buffer_size()
        except RuntimeError:  # uvloop's word for closed
            return 0

    def _cut_off_soon(self, seconds: float = LINGER_SECONDS) -> None:
        self.loop.call_later(seconds, self.writer.transport.abort)


class _Tasks(TaskGroup):
    """hypercorn's tasks of one connection, with our inbox between it and the application."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hang_up: Callable[[float], None]) -> None:
        super().__init__(loop)
        self._hang_up = hang_up

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        inbox = Inbox(config.max_app_queue_size)

        async def reading(
            scope: Scope,
            receive: ASGIReceiveCallable,
            send: ASGISendCallable,
            sync_spawn: Callable[..., object],
            call_soon: Callable[..., object],
        ) -> None:
            cast(dict[str, Any], scope)[HANG_UP] = self._hang_up
            await app(scope, inbox.get, send, sync_spawn, call_soon)

        async def sending(message: ASGISendEvent | None) -> None:
            if message is None:  # the application has ended
                inbox.close()
            await send(message)

        await super().spawn_app(reading, config, scope, sending)
        return inbox.put
