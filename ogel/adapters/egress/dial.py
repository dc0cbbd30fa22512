"""From vetted addresses to a connected socket. No name is ever looked up here."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address

from ogel.runtime.egress import EgressError, Timings

# A name may resolve to very many addresses; when these fail, more of them would not help.
MAX_ADDRESSES = 6


async def dial(
    addresses: Sequence[str], port: int, deadline: float, timings: Timings
) -> tuple[socket.socket, str]:
    """The first address that accepts, tried in order, each with an equal share of the time left.

    `deadline` is in loop.time(), and the caller's to enforce: the last address has no limit of its own here.
    Raises EgressError("connect").
    """
    loop = asyncio.get_running_loop()
    candidates = addresses[:MAX_ADDRESSES]
    started = time.monotonic()
    failure: OSError | None = None
    try:
        for tried, address in enumerate(candidates):
            left = len(candidates) - tried
            share_ends = loop.time() + (deadline - loop.time()) / left if left > 1 else None
            try:
                async with asyncio.timeout_at(share_ends):
                    return await _connect(address, port), address
            except OSError as error:  # TimeoutError is one, and a missing IPv6 route is another.
                failure = error
    finally:
        timings.connect = time.monotonic() - started
    raise EgressError("connect", _explained(failure), detail=str(failure)) from failure


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (address, port))
        # What we vetted is what we talk to, whatever happened on the way.
        if ip_address(connected.getpeername()[0]) != ip_address(address):
            raise EgressError.refused(f"dialled {address}, reached {connected.getpeername()[0]}")
    except BaseException:
        connected.close()
        raise
    return connected


def _explained(failure: OSError | None) -> str:
    match failure.errno if failure is not None else None:
        case errno.ECONNREFUSED:
            return "the connection was refused"
        case errno.ENETUNREACH | errno.EHOSTUNREACH:
            return "there is no route to the host"
        case _:
            return "the connection could not be made"
