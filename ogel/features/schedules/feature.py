"""The manifest of schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route

if TYPE_CHECKING:
    from ogel.features.schedules.service import ScheduleService

LEFT_OUT = {"schedule_changes": "a count that running schedulers compare with their own"}


def schedules_feature(service: Callable[[], ScheduleService]) -> Feature:
    def routes() -> Sequence[Route]:
        from ogel.features.schedules.routes import ScheduleRoutes

        return ScheduleRoutes(service()).routes()

    return Feature(name="schedules", routes=routes, left_out=LEFT_OUT)
