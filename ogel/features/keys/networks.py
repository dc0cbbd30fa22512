"""The networks (CIDR) that a key may be used from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from ogel.kernel.errors import Invalid

Network = IPv4Network | IPv6Network
# IPv4-mapped IPv6 addresses; a client with such an address is matched by its IPv4 address.
_MAPPED = IPv6Network("::ffff:0:0/96")


def networks_of(texts: Sequence[str]) -> list[str]:
    """Returns the networks in their stored form: sorted, without duplicates. Raises Invalid."""
    networks = {_network(text, f"body.networks[{index}]") for index, text in enumerate(texts)}
    return [str(each) for each in sorted(networks, key=lambda each: (each.version, each))]


def _network(text: str, path: str) -> Network:
    try:
        network = ip_network(text if "%" not in text else "")  # a zone id has no meaning on another host
    except ValueError:
        raise Invalid.field(path, _advice(text)) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _advice(text: str) -> str:
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is no network such as 203.0.113.0/24 or 2001:db8::/32"
    return f"{text!r} has bits behind its prefix; the network is {meant}"


def holds(networks: tuple[str, ...], address: str | None) -> bool:
    """Whether the address is in one of the networks; False for a caller whose address is unknown."""
    if address is None:
        return False
    here = ip_address(address)
    return any(here in network for network in _parsed(networks))


def within(networks: Collection[str], others: tuple[str, ...]) -> bool:
    """Whether each network is part of one of the others."""
    return all(any(_covers(other, ip_network(each)) for other in _parsed(others)) for each in networks)


def _covers(other: Network, each: Network) -> bool:
    if isinstance(other, IPv4Network):
        return isinstance(each, IPv4Network) and each.subnet_of(other)
    return isinstance(each, IPv6Network) and each.subnet_of(other)


@lru_cache(maxsize=1024)
def _parsed(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(each) for each in networks)
