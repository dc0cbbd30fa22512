"""The manifest of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.schedules.settings import SchedulesSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route

if TYPE_CHECKING:
    from ogel.features.schedules.service import ScheduleService

LEFT_OUT = {"schedule_changes": "a count that running schedulers compare with their own"}


class ScheduleServices:
    def __init__(self, core: Core, settings: SchedulesSettings) -> None:
        self._core = core
        self._settings = settings

    @cached_property
    def service(self) -> ScheduleService:
        from ogel.features.schedules.service import ScheduleService
        from ogel.runtime.schedule.ticks import Ticker

        core = self._core
        ticker = Ticker(core.database, core.jobs, core.outbox, core.reserved, core.schedules.all)
        return ScheduleService(
            core.database, ticker, core.jobs, core.audit, core.reserved, self._settings.least_seconds
        )

    def routes(self) -> Sequence[Route]:
        from ogel.features.schedules.routes import ScheduleRoutes

        return ScheduleRoutes(self.service).routes()


def build(core: Core, settings: SchedulesSettings) -> Feature:
    offered = ScheduleServices(core, settings)
    return Feature(
        name="schedules",
        routes=offered.routes,
        scopes={"schedules:read": "look at schedules", "schedules:write": "make, change and run them"},
        tables=["schedule_changes", "schedules"],
        left_out=LEFT_OUT,
        settings=settings,
        offers=offered,
    )
