"""Makes our resolver, with its limited threads and shared answers, usable by aiohttp."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from ogel.adapters.egress.resolver import Resolver


class Names(AbstractResolver):
    """`cached`: answers of the last seconds will do."""

    def __init__(self, resolver: Resolver, cached: bool) -> None:
        self._resolver = resolver
        self._cached = cached

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises EgressError, which aiohttp passes on unchanged."""
        known = self._resolver.cached(host) if self._cached else None
        addresses = known or await self._resolver.resolve(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Does nothing: the resolver belongs to its creator and holds nothing open."""
