"""What was measured, for features that reckon with it. See Measurements of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from ogel.features.observability.contract import Measured
from ogel.features.observability.resources.store import ResourceStore
from ogel.features.observability.usage.store import UsageStore
from ogel.runtime.database.database import Database


class StoredMeasurements:
    def __init__(self, database: Database, resources: ResourceStore, usage: UsageStore) -> None:
        self._database = database
        self._resources = resources
        self._usage = usage

    async def samples(self, names: Sequence[str], since: datetime, until: datetime) -> list[Measured]:
        async with self._database.autocommit() as tx:
            return await self._resources.between(tx, names, since, until)

    async def counted(
        self, metric: str, bucket: Literal["hour", "day"], since: datetime, until: datetime
    ) -> Mapping[datetime, int]:
        async with self._database.autocommit() as tx:
            return await self._usage.counted(tx, metric, bucket, since, until)
