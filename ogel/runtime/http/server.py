"""The HTTP server: binds sockets and serves connections on them until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import socket

from starlette.types import ASGIApp

from ogel.kernel.errors import ConfigError
from ogel.runtime.http.acceptor import Acceptor
from ogel.runtime.http.connections import Connections
from ogel.runtime.http.metrics import Traffic

_BACKLOG = 1024
_PAIR_TRIES = 20


def bind(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """
    Sockets, all on one port, which refuse clients until `listen`.

    `::` is every address of both families (IPv4 alone where the machine has no IPv6), `localhost` both loopbacks;
    anything else is one literal address. Port 0 lets the system choose. `shared`: others that are may listen there too,
    and the kernel deals clients out among them. Raises ConfigError.
    """
    try:
        if host == "::":
            return [_bind_everywhere(port, shared)]
        if host == "localhost":
            return _bind_loopbacks(port, shared)
        return [_bind(host, port, shared)]
    except (OSError, OverflowError) as error:
        raise _cannot_listen(host, port, error) from error


def free_port(host: str, port: int) -> int:
    """
    Returns `port`, or a free one for 0. Raises ConfigError when another process listens there, even one that shares the
    port.
    """
    sockets = bind(host, port)
    chosen: int = sockets[0].getsockname()[1]
    for each in sockets:
        each.close()
    return chosen


def listen(sockets: list[socket.socket]) -> None:
    """
    Lets clients connect; they wait in the backlog until `serve` runs. Raises ConfigError when another process was
    faster.
    """
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
    """
    Serves until `stop`, then accepts nothing new and lets what is in flight finish within `drain_seconds`.

    Streams count as in flight: whoever owns them has to end them. Peers that have stopped reading are not waited for.
    No ASGI lifespan, no signal handlers. `traffic` is told of every byte and connection.
    """
    connections = Connections(app, traffic or Traffic())
    acceptor = Acceptor(sockets, connections)
    watching = asyncio.create_task(connections.watch(), name="http.watch")
    acceptor.start()
    try:
        await stop.wait()
    finally:
        connections.stop()
        acceptor.stop(_BACKLOG)
        await connections.drain(drain_seconds)
        watching.cancel()
        await asyncio.wait([watching])


def _bind_everywhere(port: int, shared: bool) -> socket.socket:
    try:
        return _bind("::", port, shared, dual_stack=True)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return _bind("0.0.0.0", port, shared)  # noqa: S104 - the same wish, on a machine without IPv6


def _bind_loopbacks(port: int, shared: bool) -> list[socket.socket]:
    """Binds IPv4 and IPv6. With port 0, the port that IPv4 got may be taken on IPv6, so other ports are tried."""
    for _ in range(_PAIR_TRIES):
        first = _bind("127.0.0.1", port, shared)
        try:
            return [first, _bind("::1", first.getsockname()[1], shared)]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [first]
            first.close()
            if port != 0:
                raise
    raise OSError(errno.EADDRINUSE, f"no port was free on both loopbacks in {_PAIR_TRIES} tries")


def _bind(host: str, port: int, shared: bool, *, dual_stack: bool = False) -> socket.socket:
    """Binds a socket. Fails when another process listens on the port; sockets that are only bound are no conflict."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restart must not wait for the previous run's connections to time out.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
