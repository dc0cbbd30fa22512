"""Samples are deleted after their retention."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_of_samples(retention_days: float) -> Purge:
    return Purge.of_queries(
        "resource_samples",
        "samples of servers, queues and processes",
        retention_days,
        count=_SQL.count_old,
        batch=_SQL.purge_old,
    )
