"""Where a host is, seen from a service on Railway: by its name, and by its addresses where the name does not tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal

# private     it is reached without leaving the machine, the private network or the networks behind it.
# public hop  a way into a Railway project from the public internet: a TCP proxy, or a domain of the edge.
# bucket      an object store that Railway sells, which has a public name only.
# elsewhere   all else.
Place = Literal["private", "public hop", "bucket", "elsewhere"]

PRIVATE_SUFFIX = ".railway.internal"
# Those of the proxies from before `proxy.rlwy.net`, too.
HOPS = r"(?:[A-Za-z0-9-]+\.)+(?:proxy\.rlwy\.net|up\.railway\.app)|containers-[A-Za-z0-9-]+\.railway\.app"
_HOP = re.compile(HOPS)
_BUCKETS = ("storage.railway.app", "storageapi.dev", "tigris.dev", "t3.storage.dev", "tigrisfiles.io")
_PRIVATE_NETWORKS = tuple(
    ip_network(each)
    for each in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # of carriers: Railway's own, too
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


def place_of(host: str, addresses: Sequence[str] = (), alias: str | None = None) -> Place:
    """
    `addresses` and `alias` are what its name was found to stand for. A name that stands for addresses of both kinds is
    not private: which of them is taken, nobody knows.
    """
    by_name = place_of_name(host)
    if by_name == "elsewhere" and alias is not None:
        by_name = place_of_name(alias)
    if by_name == "elsewhere" and addresses and all(map(_is_private, addresses)):
        return "private"
    return by_name


def place_of_name(host: str) -> Place:
    """Nobody is asked. Also for addresses, and for the directory of a socket."""
    name = host.lower().removesuffix(".")
    if name.startswith("/") or name == "localhost" or name.endswith((PRIVATE_SUFFIX, ".localhost")):
        return "private"
    if any(name == each or name.endswith(f".{each}") for each in _BUCKETS):
        return "bucket"
    if _HOP.fullmatch(name):
        return "public hop"
    return "private" if _is_private(name) else "elsewhere"


def _is_private(text: str) -> bool:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE_NETWORKS)
