"""Health checks are deleted once they are too old for the history."""

from __future__ import annotations

from datetime import timedelta

from ogel.features.observability.health.jobs import HISTORY
from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_of_health_checks() -> Purge:
    return Purge.of_queries(
        "health_checks",
        "health checks that have left the history",
        HISTORY / timedelta(days=1),
        count=_SQL.count_old,
        batch=_SQL.purge_old,
        is_firm=True,
    )
