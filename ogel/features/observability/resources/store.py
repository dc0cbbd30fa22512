"""The resource_samples table, and Postgres's own statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.observability.contract import Measured
from ogel.runtime.alerts import Sample
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.http.route import Timestamp

_SQL = Queries.beside(__name__)

LARGEST_TABLES = 10
# With fewer blocks the cache hit ratio means nothing.
LEAST_BLOCKS = 100_000
# A process reports at least once a minute; samples are taken every five.
PROCESS_SECONDS = 180.0
LATEST_SECONDS = 3600.0


class Taken(Struct, frozen=True):
    name: str
    labels: dict[str, str]
    value: float
    sampled_at: Timestamp


class ResourceStore:
    async def activity(self, tx: Transaction) -> list[Sample]:
        return await tx.all(_SQL.activity, {"least_blocks": LEAST_BLOCKS}, Sample)

    async def sizes(self, tx: Transaction) -> list[Sample]:
        return await tx.all(_SQL.sizes, {"tables": LARGEST_TABLES}, Sample)

    async def processes(self, tx: Transaction) -> list[Sample]:
        rows = await tx.tuples(_SQL.processes, {"seconds": PROCESS_SECONDS})
        return [Sample(*row) for row in rows]

    async def insert(self, tx: Transaction, samples: Sequence[Sample]) -> None:
        await tx.execute(_SQL.insert_samples, {"rows": records(samples)})

    async def latest(self, tx: Transaction) -> list[Taken]:
        return await tx.all(_SQL.latest, {"seconds": LATEST_SECONDS}, Taken)

    async def between(
        self, tx: Transaction, names: Sequence[str], since: datetime, until: datetime
    ) -> list[Measured]:
        """Oldest first, without those at `until` itself."""
        parameters = {"names": names, "since": since, "until": until}
        return await tx.all(_SQL.between, parameters, Measured)

    async def list(self, tx: Transaction, filters: Mapping[str, object]) -> list[Taken]:
        return await tx.all(_SQL.list_samples, filters, Taken)
