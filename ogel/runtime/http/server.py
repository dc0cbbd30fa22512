"""The HTTP server: sockets, and hypercorn's connections on them until told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import structlog
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from ogel.kernel.errors import ConfigError

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 65.0  # longer than the usual 60 s of a proxy, so that it is the proxy that hangs up
WRITE_SECONDS = 30.0  # a peer that takes nothing for this long is cut off
MAX_MESSAGE_BYTES = 1024 * 1024  # of one incoming WebSocket message
_BACKLOG = 1024
_CANCEL_SECONDS = 5.0
_PAIR_TRIES = 20


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets, all on one port; clients that connect before `serve` runs wait in the backlog.

    `::` is every address of both families (IPv4 alone where the machine has no IPv6), `localhost` both
    loopbacks; anything else is one literal address. Port 0 lets the system choose. Raises ConfigError.
    """
    try:
        if host == "::":
            return [_listen_everywhere(port)]
        if host == "localhost":
            return _listen_on_loopbacks(port)
        return [_listen(host, port)]
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"Cannot listen on {host!r}, port {port}: {reason}.") from error


async def serve(
    app: ASGIApp, sockets: list[socket.socket], stop: asyncio.Event, drain_seconds: float
) -> None:
    """Serves until `stop`, then accepts nothing new and lets what is in flight finish within `drain_seconds`.

    Streams count as in flight: whoever owns them has to end them. No ASGI lifespan, no signal handlers.
    """
    config = _config()
    context = WorkerContext(None)
    wrapped = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn spells the same ASGI types out as TypedDicts
    connections: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _Connection(wrapped, loop, config, context, ConnectionState({}), reader, writer).run()
        except asyncio.CancelledError:
            return  # by _drain, which has said so; asyncio would log it as an error
        except Exception:
            log.exception("http.connection_broke")
        finally:
            connections.discard(task)

    servers = [await asyncio.start_server(connected, sock=each, backlog=_BACKLOG) for each in sockets]
    try:
        await stop.wait()
    finally:
        for server in servers:
            server.close()
        # Idle connections hang up now, the others after the response they are on.
        await context.terminated.set()
        await _drain(connections, drain_seconds)


class _Connection(TCPServer):
    """hypercorn's connection would wait for ever for a peer that has stopped reading; this one does not."""

    async def protocol_send(self, event: Event) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await super().protocol_send(event)
        except TimeoutError:
            self.writer.transport.abort()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await super()._close()
        except TimeoutError:
            self.writer.transport.abort()


async def _drain(connections: set[asyncio.Task[None]], seconds: float) -> None:
    if not connections:
        return
    _, unfinished = await asyncio.wait(connections, timeout=seconds)
    if unfinished:
        log.warning("http.cut_off", connections=len(unfinished), after_seconds=seconds)
        for task in unfinished:
            task.cancel()
        await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)


def _config() -> Config:
    config = Config()
    config.accesslog = None  # the shell writes one line per request, with more in it
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    return config


def _listen_everywhere(port: int) -> socket.socket:
    try:
        return _listen("::", port, dual_stack=True)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return _listen("0.0.0.0", port)  # noqa: S104 - the same wish, on a machine without IPv6


def _listen_on_loopbacks(port: int) -> list[socket.socket]:
    """With port 0 the port that IPv4 got may be taken on IPv6, so try again with another."""
    for _ in range(_PAIR_TRIES):
        first = _listen("127.0.0.1", port)
        try:
            return [first, _listen("::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [first]
            first.close()
            if port != 0:
                raise
    raise OSError(errno.EADDRINUSE, f"no port was free on both loopbacks in {_PAIR_TRIES} tries")


def _listen(host: str, port: int, *, dual_stack: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Restarting must not wait for the last run's connections to time out.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
