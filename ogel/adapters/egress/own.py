"""The names and addresses of our own services, which users' URLs must not reach, whatever range they are in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from msgspec import Struct

from ogel.adapters.egress.addresses import AddressGuard
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.system_names import search_look_up
from ogel.runtime.egress import EgressError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 3.0
REFRESH_SECONDS = 60.0
# A name may return its addresses in turns, and an address may serve us for a while after its name has moved on.
KEEP_SECONDS = 3600.0
MAX_ADDRESSES = 256


class OwnHosts(Struct, frozen=True):
    """
    servers  denied by name and by address.
    fronts   denied by name only. A platform's edge, or an object store behind TLS, tells its customers apart by the
             name asked for: its addresses are those of other people's receivers, too.
    """

    servers: frozenset[str]
    fronts: frozenset[str]

    @classmethod
    def of(cls, servers: Iterable[str | None], fronts: Iterable[str | None]) -> OwnHosts:
        """Collects hosts from URLs of any kind; one without a scheme is written `//host`."""
        return cls(
            *(frozenset(host for url in urls if url for host in hosts_of(url)) for urls in (servers, fronts))
        )


class OwnServices:
    """Tells the guard the addresses of our servers. Looks nothing up until told to."""

    def __init__(
        self,
        guard: AddressGuard,
        hosts: OwnHosts,
        resolver: Resolver | None = None,
        *,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._guard = guard
        self._hosts = sorted(hosts.servers)
        self._resolver: Resolver = resolver or SystemResolver(search_look_up)
        self._refresh_seconds = refresh_seconds
        self._seen: dict[str, float] = {}
        self._unknown: set[str] = set()

    async def look(self) -> None:
        """
        Looks all names up once, in parallel, within LOOK_SECONDS. A name that cannot be resolved keeps its addresses.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await asyncio.gather(*map(self._look, self._hosts))
        except TimeoutError:
            log.warning("egress.own_services_slow", seconds=LOOK_SECONDS)
        self._tell()

    async def keep_looking(self) -> None:
        """Looks names up again and again, until cancelled."""
        while self._hosts:
            await asyncio.sleep(self._refresh_seconds)
            await self.look()

    async def _look(self, host: str) -> None:
        try:
            addresses = await self._resolver.resolve(host)
        except EgressError as error:
            if host not in self._unknown:
                log.warning("egress.own_service_unknown", host=host, error=error.message)
            self._unknown.add(host)
            return
        self._unknown.discard(host)
        now = time.monotonic()
        for address in addresses:
            self._seen.pop(address, None)
            self._seen[address] = now

    def _tell(self) -> None:
        oldest = time.monotonic() - KEEP_SECONDS
        kept = [address for address, at in self._seen.items() if at >= oldest][-MAX_ADDRESSES:]
        self._seen = {address: self._seen[address] for address in kept}
        self._guard.deny_addresses(address for address in kept if "%" not in address)


def hosts_of(url: str) -> list[str]:
    """Returns every host in a server's URL (libpq and MongoDB allow several); socket directories are left out."""
    parts = urlsplit(url)
    places = parts.netloc.rpartition("@")[2].split(",") + parse_qs(parts.query).get("host", [""])[0].split(
        ","
    )
    hosts = (_host_of(unquote(place)) for place in places)
    return [host for host in hosts if host and not host.startswith("/")]


def _host_of(place: str) -> str:
    if place.startswith("["):
        return place[1:].partition("]")[0].lower()
    # libpq's `host=` takes an IPv6 address without brackets.
    return place.lower() if place.count(":") > 1 else place.partition(":")[0].lower()
