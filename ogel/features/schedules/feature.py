"""The manifest of schedules."""

from __future__ import annotations

from ogel.features.schedules.routes import ScheduleRoutes
from ogel.features.schedules.service import ScheduleService
from ogel.runtime.feature import Feature


def schedules_feature(service: ScheduleService) -> Feature:
    return Feature(name="schedules", routes=ScheduleRoutes(service).routes())
