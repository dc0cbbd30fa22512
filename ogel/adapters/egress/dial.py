"""Connects a socket to vetted addresses. No name is looked up here."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

from ogel.runtime.egress import EgressError, Timings

# The addresses to try at most: a name may have very many, and when these fail, more would not help.
MAX_ADDRESSES = 6

# Errors that no receiver can cause: out of file descriptors or memory, or a local firewall.
_OUR_ERRNOS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES}
# Documentation addresses (RFC 5737, RFC 3849): a route to them is a route to anywhere. Nothing is sent there.
_ANYWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}

Dial = Callable[[Sequence[str], int, float, Timings], Awaitable[tuple[socket.socket, str]]]


async def dial(
    addresses: Sequence[str], port: int, deadline: float, timings: Timings
) -> tuple[socket.socket, str]:
    """The first address that accepts, tried in order, each with an equal share of the time left.

    `deadline` is in loop.time(), and the caller's to enforce: the last address has no limit of its own here.
    Raises EgressError("connect"), which is ours when nothing could have been reached from here.
    """
    return await first_of(addresses, deadline, timings, lambda address: connect(address, port))


async def first_of(
    addresses: Sequence[str],
    deadline: float,
    timings: Timings,
    connected: Callable[[str], Awaitable[socket.socket]],
) -> tuple[socket.socket, str]:
    """
    Tries addresses as `dial` does, with any function that connects to one. An EgressError that it raises is final.
    """
    loop = asyncio.get_running_loop()
    candidates = addresses[:MAX_ADDRESSES]
    started = time.monotonic()
    failure: OSError | None = None
    last = ""
    try:
        for tried, address in enumerate(candidates):
            left = len(candidates) - tried
            share_ends = loop.time() + (deadline - loop.time()) / left if left > 1 else None
            try:
                async with asyncio.timeout_at(share_ends):
                    return await connected(address), address
            except OSError as error:  # TimeoutError is one, and a missing IPv6 route is another.
                failure, last = error.with_traceback(None), address  # which holds this frame, which holds it
                if error.errno in _OUR_ERRNOS:
                    break
    finally:
        timings.connect = time.monotonic() - started
    raise connect_error(failure, _family(last)) from failure


async def connect(address: str, port: int) -> socket.socket:
    """Raises OSError, and EgressError("refused_address") when it ended up elsewhere."""
    connected = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (address, port))
        # The socket must be connected to the address that was vetted.
        if ip_address(connected.getpeername()[0]) != ip_address(address):
            raise EgressError.refused(f"dialled {address}, reached {connected.getpeername()[0]}")
    except BaseException:
        connected.close()
        raise
    return connected


def connect_error(failure: OSError | None, family: socket.AddressFamily) -> EgressError:
    """Returns the error for the last failure, with an address of that family."""
    number = failure.errno if failure is not None else None
    ours = number in _OUR_ERRNOS or _is_lost_here(number, family)
    if ours:
        message = "no connection could be opened on our side"
    elif number == errno.ECONNREFUSED:
        message = "the connection was refused"
    elif number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        message = "there is no route to the host"
    else:
        message = "the connection could not be made"
    return EgressError("connect", message, detail=str(failure), ours=ours)


def _is_lost_here(number: int | None, family: socket.AddressFamily) -> bool:
    """Distinguishes an outage on our side from a machine that lacks the address family.

    A receiver that has only IPv6 addresses is not reached from a machine that has none, today or tomorrow: that
    is no outage. (And a router far away can say ENETUNREACH as well.)
    """
    if number == errno.EADDRNOTAVAIL:
        return _has_route(family)  # so it is the ports that are used up
    return number == errno.ENETUNREACH and not any(map(_has_route, _ANYWHERE))


def _has_route(family: socket.AddressFamily) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ANYWHERE[family], 9))  # UDP: looks up the route and sends nothing
    except OSError:
        return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
