"""Addresses where no server of anybody can be, and cloud metadata is: link-local, multicast, tunnels to them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address

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


def serves_metadata(address: Address) -> bool:
    """Whether nothing that an operator runs can be there. Private and loopback addresses are fine."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return True
        if address.ipv4_mapped is not None:
            return serves_metadata(address.ipv4_mapped)
        if address != _LOOPBACK and any(address in network for network in _EMBEDDING):
            return serves_metadata(IPv4Address(int(address) & 0xFFFFFFFF))
    return any(address in network for network in _DENIED)
