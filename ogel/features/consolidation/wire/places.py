"""Where a service can be asked: at its public names, its TCP proxies, and from inside by its private name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Literal

from msgspec import Struct

from ogel.features.consolidation.kinds import MARKS, Kind
from ogel.runtime.railway import Instance

Way = Literal["public domain", "TCP proxy", "private network"]
Speaks = Literal["http", "mongodb", "postgres", "redis", "mysql"]

# What stands behind a TCP proxy is known by the port it leads to.
_BY_PORT: Mapping[int, Speaks] = {
    27017: "mongodb",
    5432: "postgres",
    6543: "postgres",
    6379: "redis",
    3306: "mysql",
}
_BY_KIND: Mapping[Kind, Speaks] = {
    "mongodb": "mongodb",
    "postgres": "postgres",
    "supavisor": "postgres",
    "pgbouncer": "postgres",
    "redis": "redis",
    "mysql": "mysql",
}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?", re.IGNORECASE)
_MOST_DOMAINS = 3


class Place(Struct, frozen=True):
    """`port` is where one connects to; `leads_to` is the service's own."""

    way: Way
    speaks: Speaks
    host: str
    port: int
    leads_to: int | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self.way == "public domain" else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"https": 443, "http": 80}[scheme]
        return f"{scheme}://{host}" + ("" if self.port == default else f":{self.port}")


def places_of(
    instance: Instance, kind: Kind, variables: Mapping[str, str], *, inside: bool
) -> Sequence[Place]:
    """
    `inside`: this process is in the private network of the project and environment that are looked at. Elsewhere the
    same private name may be another project's service.
    """
    speaks = _BY_KIND.get(kind, "http")
    places = []
    if speaks == "http":  # Railway's edge speaks nothing else
        places += [
            Place("public domain", "http", domain, 443) for domain in instance.domains if _is_host(domain)
        ][:_MOST_DOMAINS]
    for proxy in instance.proxies:
        if _is_host(proxy.domain) and 0 < proxy.proxy_port < 65536:
            behind = _BY_PORT.get(proxy.application_port, speaks)
            places.append(Place("TCP proxy", behind, proxy.domain, proxy.proxy_port, proxy.application_port))
    if inside and instance.private_domain and _is_host(instance.private_domain):
        places += [
            Place("private network", speaks, instance.private_domain, port, port)
            for port in ports_of(kind, variables)
        ]
    return places


def ports_of(kind: Kind, variables: Mapping[str, str]) -> Sequence[int]:
    """Where the service listens as far as its variables tell, then where its kind usually does."""
    marks = MARKS[kind]
    said = [int(value) for name in marks.port_names if _is_port(value := variables.get(name, ""))]
    usual = _DATABASE_PORTS.get(kind, marks.ports)
    if kind == "kong":  # its Admin API has another port than what it passes on
        return tuple(dict.fromkeys((*usual, *said)))
    return tuple(dict.fromkeys(said or usual))


_DATABASE_PORTS: Mapping[Kind, tuple[int, ...]] = {"postgres": (5432,), "redis": (6379,), "mysql": (3306,)}


def _is_host(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    try:
        return isinstance(ip_address(text), IPv6Address) and "%" not in text
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536
