"""The manifest of schedules."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.audit.contract import AuditTrail
from ogel.features.schedules.routes import ScheduleRoutes
from ogel.features.schedules.service import ScheduleService
from ogel.runtime.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.schedule.schedule import Schedule


def schedules_feature(
    database: Database, jobs: JobQueue, schedules: Sequence[Schedule], audit: AuditTrail
) -> Feature:
    """`schedules` are those of every feature."""
    service = ScheduleService(database, jobs, schedules, audit)
    return Feature(name="schedules", routes=ScheduleRoutes(service).routes())
