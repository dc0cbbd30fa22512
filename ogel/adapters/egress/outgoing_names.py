"""Our resolver, whose threads are bounded and whose answers are shared, as aiohttp asks for one."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from ogel.adapters.egress.resolver import Resolver


class Names(AbstractResolver):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises EgressError, which passes through aiohttp as it is."""
        addresses = self._resolver.cached(host) or await self._resolver.resolve(host)
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
        """It belongs to whoever made it, and holds nothing open."""
