"""The objectives of deployments: what Railway tells of them is asked when somebody wants to know, and remembered."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from ogel.features.observability.slo.objectives import Unit
from ogel.features.observability.slo.report import ObjectiveInfo
from ogel.features.observability.slo.settings import SloSettings
from ogel.features.observability.slo.standings import UNKNOWN, Standing, burning, part
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.slo.windows import SHOWN, begin_of
from ogel.runtime.database.database import Database
from ogel.runtime.railway import Deployment, Railway, RailwayError

if TYPE_CHECKING:
    from ogel.features.observability.slo.deployments import Delivered

# Railway lets an account ask a thousand times an hour, or less.
FRESH_SECONDS = 300.0
# After an answer that was none.
AGAIN_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
MOST_DEPLOYMENTS = 500
# An hour says nothing of how often and how well something is deployed.
_WINDOWS = ("24h", "30d")
_NO_COMMIT_TIMES = "nobody told when commits were made (OGEL_COMMITTED_AT)"


class _Known(Struct, frozen=True):
    """`note`: why there is nothing."""

    deployments: Sequence[Deployment] = ()
    environment_id: str = ""
    committed: Mapping[str, datetime] = {}
    note: str | None = None


class DeploymentWatch:
    """`project_id` and `environment_id` are this process's; None: a project's token says."""

    def __init__(
        self,
        railway: Railway,
        project_id: str | None,
        environment_id: str | None,
        database: Database,
        store: SloStore,
        settings: SloSettings,
    ) -> None:
        self._railway = railway
        self._project_id = project_id
        self._environment_id = environment_id
        self._database = database
        self._store = store
        self._settings = settings
        self._known = _Known()
        self._good_until = -math.inf
        self._lock = asyncio.Lock()

    async def objectives(self, now: datetime) -> Sequence[ObjectiveInfo]:
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._known = await self._ask()
                self._good_until = time.monotonic() + (AGAIN_SECONDS if self._known.note else FRESH_SECONDS)
            known = self._known
        spans = {} if known.note else {name: self._span(known, name, now) for name in _WINDOWS}
        return objectives_of(self._settings, spans, known.note)

    def _span(self, known: _Known, window: str, now: datetime) -> Delivered:
        from ogel.features.observability.slo.deployments import delivered

        return delivered(known.deployments, known.environment_id, begin_of(window, now), now, known.committed)

    async def _ask(self) -> _Known:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._look()
        except RailwayError as error:
            return _Known(note=error.message)
        except TimeoutError:
            return _Known(note=f"Railway did not answer within {PATIENCE_SECONDS:g} s")

    async def _look(self) -> _Known:
        project_id, environment_id = self._project_id, self._environment_id
        if project_id is None or environment_id is None:
            scope = await self._railway.scope()
            project_id, environment_id = (
                project_id or scope.project_id,
                environment_id or scope.environment_id,
            )
        if project_id is None or environment_id is None:
            return _Known(
                note="RAILWAY_PROJECT_ID and RAILWAY_ENVIRONMENT_ID do not say which deployments are meant"
            )
        deployments = await self._railway.deployments(project_id, environment_id, limit=MOST_DEPLOYMENTS)
        async with self._database.autocommit() as tx:
            committed = await self._store.commits(tx)
        return _Known(deployments, environment_id, committed)


def objectives_of(
    settings: SloSettings, spans: Mapping[str, Delivered], note: str | None
) -> Sequence[ObjectiveInfo]:
    """`spans` by window; a `note` says why there is none."""
    lead, recovery = settings.slo_lead_hours * 3600, settings.slo_recovery_minutes * 60
    often, failed = settings.slo_deployments_per_day, settings.slo_change_failures
    month = spans.get(SHOWN[-1])

    def objective(
        name: str,
        says: str,
        unit: Unit,
        target: float,
        of: Callable[[Delivered], Standing],
        own_note: str | None = None,
        at_least: bool = False,
    ) -> ObjectiveInfo:
        windows = {name: of(spans[name]) if name in spans else UNKNOWN for name in SHOWN}
        told = note or own_note
        return ObjectiveInfo(f"deployments.{name}", says, "delivery", unit, target, at_least, windows, told)

    return [
        objective("per_day", f"{often:g} deployments a day, or more, work.", "per_day", often,
                  lambda span: _often(span, often), at_least=True),
        objective("lead_time", f"Half of the changes are live within {lead / 3600:g} h of their commits.",
                  "seconds", lead, lambda span: _length(span.lead_seconds, lead), _of_lead(month)),
        objective("failed", f"At most {failed * 100:g} % of the changes fail, or are taken back.",
                  "share", failed, lambda span: part(span.changes, span.failed, failed)),
        objective("recovery", f"What fails is followed by what works within {recovery / 60:g} min, on average.",
                  "seconds", recovery, lambda span: _length(span.recovery_seconds, recovery), _of_open(month)),
    ]  # fmt: skip


def _often(span: Delivered, target: float) -> Standing:
    if not span.per_day:
        return Standing(0.0, False, total=span.changes)
    return burning(span.per_day, target / span.per_day, span.changes, 0)


def _length(seconds: float | None, target: float) -> Standing:
    return UNKNOWN if seconds is None else burning(seconds, seconds / target, 0, 0)


def _of_lead(month: Delivered | None) -> str | None:
    if month is None or month.lead_seconds is not None:
        return None
    if month.pushed_seconds is None:
        return _NO_COMMIT_TIMES
    return (
        f"{_NO_COMMIT_TIMES}; from push to live, half of the changes took {month.pushed_seconds / 60:.3g} min"
    )


def _of_open(month: Delivered | None) -> str | None:
    return f"not followed by what works: {month.open}" if month is not None and month.open else None
