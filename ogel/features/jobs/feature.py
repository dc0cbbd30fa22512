"""The manifest of queues and jobs."""

from __future__ import annotations

from ogel.features.jobs.routes import JobRoutes
from ogel.features.jobs.service import JobService
from ogel.runtime.feature import Feature


def jobs_feature(service: JobService) -> Feature:
    return Feature(name="jobs", routes=JobRoutes(service).routes())
