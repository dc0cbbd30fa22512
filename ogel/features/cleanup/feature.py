"""The manifest of cleanup: the runner of every feature's purges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogel.features.cleanup.jobs import PURGE, RunPurge
from ogel.features.cleanup.service import CleanupService
from ogel.features.cleanup.store import RunStore
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.purge import Purge
from ogel.runtime.schedule.schedule import Schedule

CRON = "0 2 * * *"


class CleanupFeature:
    """
    `purges` are those of every feature; `as_set` gives a schedule as settings want it. ValueError: two purges share a
    name.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditTrail,
        purges: Sequence[Purge],
        as_set: Callable[[Schedule], Schedule],
    ) -> None:
        self.purges = named = {purge.name: purge for purge in purges}
        if len(named) < len(purges):
            raise ValueError(f"two purges share a name: {sorted(purge.name for purge in purges)}")
        for purge in purges:
            if purge.after is not None and purge.after not in named:
                raise ValueError(f"purge {purge.name!r} waits for {purge.after!r}, which nobody brings")
        self._schedules = [_schedule(purge) for purge in named.values()]
        schedules = {name: as_set(_schedule(purge)) for name, purge in named.items()}
        crons = {name: schedule.cron for name, schedule in schedules.items() if schedule.enabled}
        store = RunStore()
        self._run = RunPurge(database, store, audit, named)
        self.service = CleanupService(database, store, jobs, audit, named, crons)

    def feature(self) -> Feature:
        return Feature(
            name="cleanup",
            routes=self._routes,
            jobs=[self._run.kind()],
            schedules=self._schedules,
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.cleanup.routes import CleanupRoutes

        return CleanupRoutes(self.service).routes()


def _schedule(purge: Purge) -> Schedule:
    return Schedule(
        name=f"cleanup.{purge.name}",
        cron=CRON,
        kind=PURGE,
        description=f"Deletes {purge.deletes}, after {purge.retention_days:g} days.",
        payload={"what": purge.name},
    )
