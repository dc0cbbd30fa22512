"""The manifest of cleanup: the runner of every feature's purges."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.cleanup.jobs import PURGE, RunPurge
from ogel.features.cleanup.service import CleanupService
from ogel.features.cleanup.store import RunStore
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.purge import Purge
from ogel.runtime.schedule.schedule import Schedule

CRON = "0 2 * * *"


class CleanupFeature:
    """Raises ValueError when two purges share a name, or one waits for a purge that does not exist."""

    def __init__(self, core: Core, purges: Sequence[Purge]) -> None:
        self.purges = named = {purge.name: purge for purge in purges}
        if len(named) < len(purges):
            raise ValueError(f"two purges share a name: {sorted(purge.name for purge in purges)}")
        for purge in purges:
            if purge.after is not None and purge.after not in named:
                raise ValueError(f"purge {purge.name!r} waits for {purge.after!r}, which nobody brings")
        self.schedules = [_schedule(purge) for purge in purges]
        as_set = {schedule.payload["what"]: core.schedules.as_set(schedule) for schedule in self.schedules}
        crons = {name: schedule.cron for name, schedule in as_set.items() if schedule.enabled}
        store = RunStore()
        self.run = RunPurge(core.database, store, core.audit, named)
        self.service = CleanupService(core.database, store, core.jobs, core.audit, named, crons)

    def routes(self) -> Sequence[Route]:
        from ogel.features.cleanup.routes import CleanupRoutes

        return CleanupRoutes(self.service).routes()


def build(core: Core, _: None) -> Feature:
    """Needs all other features, because it runs their purges."""
    from ogel.adapters.temporary import purge_of_temporary_files

    others = [purge for feature in core.features.all(but="cleanup") for purge in feature.purges]
    cleanup = CleanupFeature(core, [*others, purge_of_temporary_files(core.data_dir)])
    return Feature(
        name="cleanup",
        routes=cleanup.routes,
        scopes={"cleanup:read": "look at what is forgotten, and when", "cleanup:write": "run and pause it"},
        jobs=[cleanup.run.kind()],
        schedules=cleanup.schedules,
        tables=["purge_runs"],
        offers=cleanup,
    )


def _schedule(purge: Purge) -> Schedule:
    return Schedule(
        name=f"cleanup.{purge.name}",
        cron=CRON,
        kind=PURGE,
        description=f"Deletes {purge.deletes}, after {purge.retention_days:g} days.",
        payload={"what": purge.name},
    )
