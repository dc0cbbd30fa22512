"""Deliveries that are over are forgotten after a time."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
DELIVERIES = "deliveries"


def purge_of_deliveries(retention_days: float) -> Purge:
    return Purge.of_walk(
        DELIVERIES,
        "deliveries that are over, with their attempts and dead jobs",
        retention_days,
        count=_SQL.count_old,
        batch=_SQL.purge_old,
    )
