"""The manifest of cleanup: the runner of every feature's purges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ogel.features.audit.contract import AuditTrail
from ogel.features.cleanup.jobs import PURGE, RunPurge
from ogel.features.cleanup.service import CleanupService
from ogel.features.cleanup.store import RunStore
from ogel.runtime.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.purge import Purge
from ogel.runtime.schedule.schedule import Schedule


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """`cron` is for all whose schedules are not in `set`, by their names: another cron, or `off`."""

    cron: str = "0 2 * * *"
    set: Mapping[str, str] = field(default_factory=dict)


class CleanupFeature:
    """`purges` are those of every feature. ValueError: two share a name."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditTrail,
        purges: Sequence[Purge],
        options: CleanupOptions,
    ) -> None:
        self.purges = named = {purge.name: purge for purge in purges}
        if len(named) < len(purges):
            raise ValueError(f"two purges share a name: {sorted(purge.name for purge in purges)}")
        for purge in purges:
            if purge.after is not None and purge.after not in named:
                raise ValueError(f"purge {purge.name!r} waits for {purge.after!r}, which nobody brings")
        self._schedules = [_schedule(purge, options.cron) for purge in named.values()]
        crons = {name: options.set.get(f"cleanup.{name}", options.cron) for name in named}
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


def _schedule(purge: Purge, cron: str) -> Schedule:
    return Schedule(
        name=f"cleanup.{purge.name}",
        cron=cron,
        kind=PURGE,
        description=f"Deletes {purge.deletes}, after {purge.retention_days:g} days.",
        payload={"what": purge.name},
    )
