"""How well the objectives are kept, for people and for alerts."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from ogel.features.costs.contract import Costs
from ogel.features.observability.slo.alerts import samples_of
from ogel.features.observability.slo.delivering import DeploymentWatch
from ogel.features.observability.slo.objectives import DATABASE, Objective, objectives
from ogel.features.observability.slo.report import SloReport, Status, info
from ogel.features.observability.slo.settings import SloSettings
from ogel.features.observability.slo.spending import spending
from ogel.features.observability.slo.standings import Standing, standing
from ogel.features.observability.slo.statements import told_by_postgres
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.slo.uptime import minutes_of
from ogel.features.observability.slo.windows import SHOWN, WINDOWS, begin_of, pieces_of
from ogel.kernel.clock import utc_now
from ogel.runtime.alerts import Sample
from ogel.runtime.database.database import Database

# Many who ask must not cause many looks at 30 days.
FRESH_SECONDS = 30.0


class Kept(NamedTuple):
    """An objective, and how well it is kept, by window."""

    objective: Objective
    standings: Mapping[str, Standing]


class Looked(Struct, frozen=True):
    kept: Sequence[Kept]
    since: datetime | None
    at: datetime


class SloService:
    def __init__(
        self,
        database: Database,
        store: SloStore,
        settings: SloSettings,
        deployments: DeploymentWatch,
        costs: Callable[[], Costs],
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._deployments = deployments
        self._costs = costs
        self._looked: Looked | None = None
        self._looked_at = -math.inf
        self._lock = asyncio.Lock()

    async def report(self) -> SloReport:
        """Of deployments, too: that may wait for Railway for seconds."""
        looked = await self.look()
        note = await told_by_postgres(self._database, self._settings.slo_database_p95_ms / 1000)
        items = [
            info(
                objective,
                {window: standings[window] for window in SHOWN},
                note if objective.series == DATABASE else None,
            )
            for objective, standings in looked.kept
        ]
        items.append(spending(await self._costs().this_period(), self._settings.slo_cost_dollars))
        items += await self._deployments.objectives(looked.at)
        return SloReport(_status(looked.kept), items, looked.since, looked.at)

    async def samples(self) -> Sequence[Sample]:
        return samples_of((await self.look()).kept)

    async def look(self) -> Looked:
        """All objectives in all windows, as they were a few seconds ago or are now."""
        async with self._lock:
            if self._looked is None or time.monotonic() - self._looked_at > FRESH_SECONDS:
                self._looked = await self._look(utc_now())
                self._looked_at = time.monotonic()
            return self._looked

    async def _look(self, now: datetime) -> Looked:
        pieces = [piece for window in WINDOWS for piece in pieces_of(window, now)]
        async with self._database.autocommit() as tx:
            sums = await self._store.sums(tx, pieces)
            hours = await self._store.uptime(tx)
            since = await self._store.first(tx)
        minutes = {window: minutes_of(hours, begin_of(window, now), now) for window in WINDOWS}
        counted = {series for of_window in sums.values() for series in of_window}
        kept = []
        for objective in objectives(self._settings, counted):
            standings = {
                window: standing(objective, sums[window], minutes[window], length)
                for window, length in WINDOWS.items()
            }
            kept.append(Kept(objective, standings))
        return Looked(kept, since, now)


def _status(kept: Sequence[Kept]) -> Status:
    met = [standings[SHOWN[-1]].met for objective, standings in kept if objective.about == "service"]
    known = [each for each in met if each is not None]
    return "unknown" if not known else "met" if all(known) else "missed"
