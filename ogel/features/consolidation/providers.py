"""Chooses what the audit asks with: clients for hosts of the project, and drivers that only read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.adapters.egress.own_services import OwnServiceNames
from ogel.adapters.egress.resolver import SystemResolver
from ogel.adapters.egress.system_names import search_look_up
from ogel.features.consolidation.audit import Audit
from ogel.features.consolidation.wire.asking import Asker
from ogel.features.gateway.contract import TRANSLATED_PLUGINS, read
from ogel.kernel.clock import utc_now
from ogel.runtime.database.registered import Target
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.prices.table import PriceTable
from ogel.runtime.railway import Railway
from ogel.runtime.surveys import BucketsSeen, DocumentsSeen, Surveys, TableSeen, TableWanted


class Drivers:
    """Implements Surveys. Each driver is imported when it is asked."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def rows(self, target: Target, tables: Sequence[TableWanted]) -> Sequence[TableSeen]:
        from ogel.adapters.databases import row_survey

        return await row_survey.rows(target, tables)

    async def documents(self, target: Target) -> DocumentsSeen:
        from ogel.adapters.databases import document_survey

        return await document_survey.documents(target)

    async def buckets(self, endpoint: str, access_key: str, secret_key: str) -> BucketsSeen:
        from ogel.adapters.storage import bucket_survey

        return await bucket_survey.buckets(self._outgoing, endpoint, access_key, secret_key)


@asynccontextmanager
async def audit(railway: Railway, speaks: Collection[str], prices: PriceTable) -> AsyncIterator[Audit]:
    """`speaks`: the prefixes that Ogel answers itself."""
    # Requests to services go through no proxy: they are the project's own, and private names mean nothing to one.
    outgoing = OutgoingClient(resolver=OwnServiceNames(SystemResolver(search_look_up)))
    try:
        yield Audit(
            railway,
            Asker(outgoing),
            Drivers(outgoing),
            translated=TRANSLATED_PLUGINS,
            read_declared=read,
            speaks=speaks,
            prices=prices,
            now=utc_now,
        )
    finally:
        await outgoing.close()


# Lets the type checker verify that the drivers implement the port.
_: type[Surveys] = Drivers
