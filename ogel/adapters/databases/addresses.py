"""Which addresses a registered database may have: private ones as well, but none that serves cloud metadata."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from ogel.runtime.database.registered import HostRefused, TargetError

Address = IPv4Address | IPv6Address
KNOCK_SECONDS = 5.0

_DENIED = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # Linux takes 0.0.0.0 for itself
        "100.100.100.200/32",  # metadata at Alibaba
        "168.63.129.16/32",  # the host at Azure
        "169.254.0.0/16",  # link-local, metadata nearly everywhere
        "192.0.0.0/24",  # metadata at Oracle
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "2001::/32",  # Teredo and 6to4: tunnels, whose far end we do not see
        "2002::/16",
        "fd00:ec2::254/128",  # metadata at AWS
        "fd20:ce::254/128",  # metadata at Google
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
# IPv6 prefixes that embed an IPv4 address: NAT64, its local form, and IPv4-translated.
_EMBEDDING = tuple(
    IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)
_LOOPBACK = IPv6Address("::1")


def check_host(host: str) -> None:
    """Refuses forbidden addresses; names are looked up later. Raises HostRefused."""
    try:
        address = ip_address(host)
    except ValueError:
        return
    if _is_denied(address):
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
    if not found or any(_is_denied(ip_address(each)) for each in found):
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


def _is_denied(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return True
        if address.ipv4_mapped is not None:
            return _is_denied(address.ipv4_mapped)
        if address != _LOOPBACK and any(address in network for network in _EMBEDDING):
            return _is_denied(IPv4Address(int(address) & 0xFFFFFFFF))
    return any(address in network for network in _DENIED)
