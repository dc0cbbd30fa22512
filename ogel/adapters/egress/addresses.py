"""The guard against server-side request forgery: which addresses outgoing requests may reach."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct
from msgspec.structs import replace

from ogel.adapters.egress.target import RequestTarget, parse_url
from ogel.runtime.egress import RefusedAddress

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# The IANA special-purpose registries (RFC 6890 and its successors), and tunnels, whose far end we do not see.
# `ipaddress.is_global` alone lets some of these through, and changes from one Python to the next.
_DENIED_V4 = (
    "0.0.0.0/8",  # this network; Linux takes 0.0.0.0 for itself
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT, also used inside clouds
    "127.0.0.0/8",
    "169.254.0.0/16",  # link-local, cloud metadata
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",  # reserved, and 255.255.255.255
)
_DENIED_V6 = (
    "::/8",  # unspecified, loopback, IPv4-compatible, IPv4-translated
    "64:ff9b:1::/48",  # local NAT64
    "100::/64",
    "2001::/32",  # Teredo
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",  # private networks, Railway's too; fd00:ec2::254 is metadata
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_NAT64 = IPv6Network("64:ff9b::/96")
_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
# What precedes the IPv4 address in an ISATAP address (RFC 5214 §6.1), with the universal bit clear or set.
_ISATAP = (0x00005EFE, 0x02005EFE)

# Refused together with all names below them; `internal` covers *.railway.internal and metadata.google.internal.
LOCAL_NAMES = ("localhost", "local", "internal")


class _Verdict(Struct, frozen=True):
    """`address` is the one to connect to; `listed` means that the operator allowed it explicitly."""

    address: str
    permitted: bool
    listed: bool


class AddressGuard:
    """
    allow          networks opened on purpose (`127.0.0.0/8` in development, a private range in self-hosting).
    denied_names   names that, with all below them, are refused unless every address of theirs is in `allow`.
    denied         more networks to refuse; `allow` wins over it.
    own_names      names of our own services, not those below them: refused as `denied_names` are.

    `generation` changes whenever an earlier answer of this guard may have become wrong.
    """

    def __init__(
        self,
        allow: Sequence[Network] = (),
        denied_names: Collection[str] = LOCAL_NAMES,
        denied: Sequence[Network] = (),
        own_names: Collection[str] = (),
    ) -> None:
        self._allow = tuple(allow)
        self._denied_names = frozenset(name.lower().strip(".") for name in denied_names)
        self._denied: tuple[Network, ...] = (*map(ip_network, _DENIED_V4 + _DENIED_V6), *denied)
        self._own_names = frozenset(name.lower().rstrip(".") for name in own_names)
        self._own_addresses: frozenset[Address] = frozenset()
        self._judge = lru_cache(maxsize=4096)(self._judged)
        self.generation = 0

    def deny_addresses(self, addresses: Iterable[str]) -> None:
        """Refuses the addresses of our own services, whatever range they are in. Replaces the former list."""
        own = frozenset(_unmapped(ip_address(address)) for address in addresses)
        if own != self._own_addresses:
            self._own_addresses = own
            self._judge.cache_clear()
            self.generation += 1

    def check_url(self, url: str) -> RequestTarget:
        """Checks a URL without looking anything up. Raises InvalidUrl, RefusedAddress."""
        target = parse_url(url)
        if target.address is not None:
            verdict = self._judge(target.address)
            if not verdict.permitted:
                raise RefusedAddress
            return replace(target, address=verdict.address)
        if self._denied_name(target.host) is not None and not self._allow:
            raise RefusedAddress
        return target

    @property
    def opens_any(self) -> bool:
        return bool(self._allow)

    def may_come_to_open(self, target: RequestTarget) -> bool:
        """
        Whether a private name that does not resolve yet may get an address in an allowed network. `localhost` is on
        loopback.
        """
        if self._denied_name(target.host) == "localhost":
            return any(_overlap(network, loopback) for network in self._allow for loopback in _LOOPBACK)
        return not all(any(_covers(loopback, network) for loopback in _LOOPBACK) for network in self._allow)

    def vet(
        self, target: RequestTarget, answers: Sequence[str], *, opened_only: bool = False
    ) -> tuple[str, ...]:
        """The addresses to connect to, in order, out of all that the name resolved to. Raises RefusedAddress.

        With `opened_only` public addresses are refused, too.

        One forbidden answer refuses them all: a name that mixes public and private addresses is an attack or
        a mistake, and neither should work every other time.
        """
        verdicts = [self._judge(answer) for answer in answers]
        match self._denied_name(target.host):
            case None if not opened_only:
                refused = not all(verdict.permitted for verdict in verdicts)
            case "localhost":
                # A host with two addresses, of which the operator may have allowed only one.
                verdicts = [verdict for verdict in verdicts if verdict.listed]
                refused = False
            case _:
                refused = not all(verdict.listed for verdict in verdicts)
        if refused or not verdicts:
            raise RefusedAddress
        return tuple(verdict.address for verdict in verdicts)

    def _denied_name(self, host: str) -> str | None:
        """Returns the refused name that equals `host` or is above it."""
        name = host
        while name:
            if name in self._denied_names:
                return name
            name = name.partition(".")[2]
        return host if host in self._own_names else None

    def _judged(self, text: str) -> _Verdict:
        try:
            address: Address = ip_address(text)
        except ValueError:
            return _Verdict(text, permitted=False, listed=False)
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                return _Verdict(text, permitted=False, listed=False)
            address = _unmapped(address)
        listed = any(address in network for network in self._allow)
        return _Verdict(str(address), listed or not self._is_denied(address), listed)

    def _is_denied(self, address: Address) -> bool:
        if isinstance(address, IPv6Address):
            if address in _NAT64:
                return self._is_denied(IPv4Address(int(address) & 0xFFFFFFFF))
            if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
                return True
        return address in self._own_addresses or any(address in network for network in self._denied)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _covers(outer: Network, inner: Network) -> bool:
    return _overlap(outer, inner) and outer.prefixlen <= inner.prefixlen


def _unmapped(address: Address) -> Address:
    """Unwraps ::ffff:a.b.c.d, because sockets connect to that IPv4 address."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
