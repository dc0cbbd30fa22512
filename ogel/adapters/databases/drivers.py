"""Dispatches to the driver of a database's type, which is imported on first use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from ogel.adapters.databases.addresses import addresses_of, check_host, first_open
from ogel.runtime.database.registered import (
    Applied,
    Catalog,
    HostRefused,
    NextFile,
    Seen,
    Target,
    TargetError,
)

# Seconds for one check: name look-up, connect, ping and statistics. Each of these has a shorter limit of its own.
LOOK_SECONDS = 25.0
CATALOG_SECONDS = 15.0
RESOLVE_SECONDS = 5.0
REFUSED = "this host is not allowed: it leads to a link-local, metadata or multicast address"


class Drivers:
    """Implements ExternalDatabases."""

    def check_host(self, host: str) -> None:
        check_host(host)

    async def look(self, target: Target) -> Seen:
        async with AsyncExitStack() as tidying:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    return await _look(target, tidying)
            except TimeoutError:
                raise TargetError(f"it did not answer within {LOOK_SECONDS:g} s") from None

    async def catalog(
        self, target: Target, what: Catalog, filters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        from ogel.adapters.databases import postgresql

        try:
            async with asyncio.timeout(CATALOG_SECONDS):
                return await postgresql.catalog(target, await vetted(target), what, filters)
        except TimeoutError:
            raise TargetError(f"it did not answer within {CATALOG_SECONDS:g} s") from None

    async def applied(self, target: Target) -> Sequence[Applied]:
        from ogel.adapters.databases import migrating

        try:
            async with asyncio.timeout(CATALOG_SECONDS):
                return await migrating.applied(target, await vetted(target))
        except TimeoutError:
            raise TargetError(f"it did not answer within {CATALOG_SECONDS:g} s") from None

    async def migrate(self, target: Target, next_file: NextFile) -> None:
        from ogel.adapters.databases import migrating

        await migrating.migrate(target, await vetted(target), next_file)


async def _look(target: Target, tidying: AsyncExitStack) -> Seen:
    addresses = await vetted(target)
    if target.type == "postgresql":
        from ogel.adapters.databases import postgresql

        return await postgresql.look(target, addresses)
    address = await first_open(addresses, target.port)
    if target.type == "mongodb":
        from ogel.adapters.databases import mongodb

        return await mongodb.look(target, address, tidying)
    from ogel.adapters.databases import redis

    return await redis.look(target, address)


async def vetted(target: Target) -> Sequence[str]:
    """Returns the addresses of its host. Raises TargetError."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            return await addresses_of(target.host, target.port)
    except TimeoutError:
        raise TargetError(
            f"the host {target.host!r} was not looked up within {RESOLVE_SECONDS:g} s"
        ) from None
    except HostRefused:
        raise TargetError(REFUSED, final=True) from None
