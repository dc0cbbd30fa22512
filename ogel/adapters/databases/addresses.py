"""Which addresses a registered database may have: private ones as well, but none that serves cloud metadata."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from ogel.runtime.database.registered import HostRefused, TargetError
from ogel.runtime.metadata_addresses import serves_metadata

KNOCK_SECONDS = 5.0


def check_host(host: str) -> None:
    """Refuses forbidden addresses; names are looked up later. Raises HostRefused."""
    try:
        address = ip_address(host)
    except ValueError:
        return
    if serves_metadata(address):
        raise HostRefused


async def addresses_of(host: str, port: int) -> list[str]:
    """
    Resolves a host to all its addresses. One forbidden address refuses them all: a name that mixes them is an attack or
    a mistake. Raises TargetError, HostRefused.
    """
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        raise TargetError(f"the host {host!r} cannot be found: {reason}") from error
    found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not found or any(serves_metadata(ip_address(each)) for each in found):
        raise HostRefused
    return found


async def first_open(addresses: Sequence[str], port: int) -> str:
    """
    Returns the first address that accepts a connection, for drivers that take one address and would keep trying it for
    all their time. Raises TargetError.
    """
    reason = "no address"
    for address in addresses:
        try:
            async with asyncio.timeout(KNOCK_SECONDS):
                _, writer = await asyncio.open_connection(address, port)
        except TimeoutError:
            reason = f"no connection within {KNOCK_SECONDS:g} s"
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
        else:
            writer.close()
            return address
    raise TargetError(reason)
