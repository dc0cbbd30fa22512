"""The manifest of schedules."""

from __future__ import annotations

from ogel.features.schedules.routes import ScheduleRoutes
from ogel.features.schedules.service import ScheduleService
from ogel.runtime.feature import Feature

LEFT_OUT = {"schedule_changes": "a count that running schedulers compare with their own"}


def schedules_feature(service: ScheduleService) -> Feature:
    return Feature(name="schedules", routes=ScheduleRoutes(service).routes(), left_out=LEFT_OUT)
