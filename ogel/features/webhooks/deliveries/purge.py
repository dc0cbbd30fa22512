"""Finished deliveries are deleted after their retention."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.delivery.purge import purge_with_jobs
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
DELIVERIES = "deliveries"


def purge_of_deliveries(retention_days: float) -> Purge:
    return purge_with_jobs(
        DELIVERIES,
        "deliveries that are over, with their attempts and dead jobs",
        retention_days,
        b"webhook_deliveries",
        [_SQL.forget_attempts],
    )
