"""The job that checks the health of services, records it and publishes changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from ogel.features.observability.health.store import HealthCheck, HealthCheckStore
from ogel.features.observability.ticks import is_overtaken
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.http.health import Checkup, Status
from ogel.runtime.jobs.job import Job
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

CHECK = "health.check"
CHANGED = "platform.health.changed"
HISTORY = timedelta(hours=24)


class CheckHealth:
    """Runs in a worker. A failure of Postgres itself cannot be recorded; then checks are missing from the history."""

    def __init__(self, database: Database, store: HealthCheckStore, outbox: Outbox, checkup: Checkup) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._checkup = checkup

    async def perform(self, job: Job, _: Any) -> None:
        """Performed again it finds no change and publishes nothing."""
        if is_overtaken(job):
            return
        checks = await self._checkup.results()
        status = self._checkup.status(checks)
        async with self._database.transaction() as tx:
            await self._store.lock(tx)
            last = await self._store.last(tx)
            await self._store.insert(tx, status, checks)
            changed = _changes(last, checks)
            if changed or (last and last.status != status):  # a probe that failed may be missing this time
                await self._tell(tx, status, checks, changed, last)

    async def _tell(
        self,
        tx: Transaction,
        status: Status,
        checks: Mapping[str, bool],
        changed: Mapping[str, bool],
        last: HealthCheck | None,
    ) -> None:
        log.warning(
            "health.changed", status=status, **{f"probe_{name}": well for name, well in changed.items()}
        )
        before = last.status if last else "healthy"
        data = {"status": status, "before": before, "checks": checks, "changed": changed}
        event = Event(new_id("evt"), CHANGED, msgspec.json.encode(data), None, utc_now())
        await self._outbox.publish(tx, [event])


def _changes(last: HealthCheck | None, checks: Mapping[str, bool]) -> dict[str, bool]:
    """A service without an earlier check counts as healthy before."""
    known = last.checks if last else {}
    return {name: well for name, well in checks.items() if well != known.get(name, True)}
