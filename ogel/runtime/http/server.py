"""The HTTP server: sockets, and hypercorn's connections on them until told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from ogel.kernel.errors import ConfigError
from ogel.runtime.http.acceptor import Acceptor
from ogel.runtime.http.connection import Connection
from ogel.runtime.http.metrics import Traffic

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 65.0  # longer than the usual 60 s of a proxy, so that it is the proxy that hangs up
STALLED_SECONDS = 30.0  # a peer that takes nothing for this long, though something waits for it, is cut off
STALLED_SECONDS_STOPPING = 2.0  # likewise, once we stop
MAX_MESSAGE_BYTES = 1024 * 1024  # of one incoming WebSocket message
_BACKLOG = 1024
_CANCEL_SECONDS = 5.0
_PAIR_TRIES = 20

# None: accepted this moment.
_Connections = dict[asyncio.Task[None], Connection | None]


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets, all on one port, which refuse clients until `listen`.

    `::` is every address of both families (IPv4 alone where the machine has no IPv6), `localhost` both
    loopbacks; anything else is one literal address. Port 0 lets the system choose. Raises ConfigError.
    """
    try:
        if host == "::":
            return [_bind_everywhere(port)]
        if host == "localhost":
            return _bind_loopbacks(port)
        return [_bind(host, port)]
    except (OSError, OverflowError) as error:
        raise _cannot_listen(host, port, error) from error


def listen(sockets: list[socket.socket]) -> None:
    """From now on clients wait in the backlog until `serve` runs. ConfigError: somebody else was faster."""
    for each in sockets:
        try:
            each.listen(_BACKLOG)
        except OSError as error:
            host, port = each.getsockname()[:2]
            raise _cannot_listen(host, port, error) from error


async def serve(
    app: ASGIApp,
    sockets: list[socket.socket],
    stop: asyncio.Event,
    drain_seconds: float,
    traffic: Traffic | None = None,
) -> None:
    """Serves until `stop`, then accepts nothing new and lets what is in flight finish within `drain_seconds`.

    Streams count as in flight: whoever owns them has to end them. Peers that have stopped reading are not
    waited for. No ASGI lifespan, no signal handlers. `traffic` is told of every byte.
    """
    config = _config()
    context = WorkerContext(None)
    wrapped = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn spells the same ASGI types out as TypedDicts
    connections: _Connections = {}
    counted = traffic or Traffic()
    loop = asyncio.get_running_loop()

    async def connected(client: socket.socket, task: asyncio.Task[None]) -> None:
        reader, writer = await _streams(client)
        connection = Connection(
            wrapped, loop, config, context, ConnectionState({}), reader, writer, traffic=counted
        )
        connections[task] = connection
        await connection.run()

    async def attended(client: socket.socket) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await connected(client, task)
        except asyncio.CancelledError:
            return  # by _drain, which has said so; asyncio would log it as an error
        except Exception:
            log.exception("http.connection_broke")
        finally:
            del connections[task]

    def arrived(client: socket.socket) -> None:
        connections[loop.create_task(attended(client))] = None

    acceptor = Acceptor(sockets, arrived)
    acceptor.start()
    try:
        async with _stalled_cut_off(connections, STALLED_SECONDS):
            await stop.wait()
    finally:
        # Every response from now on is its connection's last, and says so.
        await context.terminated.set()
        acceptor.stop(_BACKLOG)
        async with _stalled_cut_off(connections, STALLED_SECONDS_STOPPING):
            await _drain(connections, drain_seconds)


async def _streams(client: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


@asynccontextmanager
async def _stalled_cut_off(connections: _Connections, seconds: float) -> AsyncIterator[None]:
    """Looks at all connections, for as long as the block, often enough to be a quarter late at most."""

    async def look() -> None:
        while True:
            await asyncio.sleep(seconds / 4)
            for connection in [each for each in connections.values() if each is not None]:
                connection.cut_off_if_stalled(seconds)

    looking = asyncio.create_task(look(), name="http.stalled")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _drain(connections: _Connections, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while connections:
                await asyncio.wait(connections)
    if unfinished := list(connections):
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


def _bind_everywhere(port: int) -> socket.socket:
    try:
        return _bind("::", port, dual_stack=True)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return _bind("0.0.0.0", port)  # noqa: S104 - the same wish, on a machine without IPv6


def _bind_loopbacks(port: int) -> list[socket.socket]:
    """With port 0 the port that IPv4 got may be taken on IPv6, so try again with another."""
    for _ in range(_PAIR_TRIES):
        first = _bind("127.0.0.1", port)
        try:
            return [first, _bind("::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [first]
            first.close()
            if port != 0:
                raise
    raise OSError(errno.EADDRINUSE, f"no port was free on both loopbacks in {_PAIR_TRIES} tries")


def _bind(host: str, port: int, *, dual_stack: bool = False) -> socket.socket:
    """Fails when another process listens there; one that is only bound, as this is, stands in nobody's way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Restarting must not wait for the last run's connections to time out.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str, port: int, error: OSError | OverflowError) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigError(f"Cannot listen on {host!r}, port {port}: {reason}.")
