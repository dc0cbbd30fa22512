"""Names of services that operators run, private ones as well: no name of theirs leads to cloud metadata."""

from __future__ import annotations

from ipaddress import ip_address

from ogel.adapters.egress.resolver import Resolver
from ogel.adapters.egress.system_names import Answer
from ogel.runtime.egress import EgressError
from ogel.runtime.metadata_addresses import serves_metadata


class OwnServiceNames:
    """
    A resolver that refuses a name of which one address could serve metadata: a domain that somebody may point where
    they like is no way to it. Hosts that are addresses are not looked up, and are for the caller to judge.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def cached(self, host: str) -> Answer | None:
        found = self._resolver.cached(host)
        return None if found is None else _vetted(found)

    async def resolve(self, host: str) -> Answer:
        return _vetted(await self._resolver.resolve(host))

    def is_silent(self, host: str) -> bool:
        return self._resolver.is_silent(host)


def _vetted(addresses: Answer) -> Answer:
    if any(serves_metadata(ip_address(each)) for each in addresses):
        raise EgressError("refused_address", "it leads to a link-local, metadata or multicast address")
    return addresses


# Lets the type checker verify that it implements the port.
_: type[Resolver] = OwnServiceNames
