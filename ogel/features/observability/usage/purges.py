"""Purges of hours and days, of processes that no longer report, and of counts that were never added up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.purge import MOST_COUNTED, Purge, whole

_SQL = Queries.beside(__name__)
log = structlog.get_logger(__name__)

# Firm: what is younger may still be folded, and a process that is forgotten may count its last flush again.
PATIENCE_DAYS = 7.0


def purges_of_usage(hours_kept_days: float, days_kept_days: float) -> Sequence[Purge]:
    return [
        Purge.of_queries(
            "usage_hours", "usage per hour", hours_kept_days, count=_SQL.count_hours, batch=_SQL.purge_hours
        ),
        Purge.of_queries(
            "usage_days", "usage per day", days_kept_days, count=_SQL.count_days, batch=_SQL.purge_days
        ),
        Purge(
            "usage_deltas",
            "counts that no worker of `stats` has added up",
            PATIENCE_DAYS,
            _count_deltas,
            whole(_purge_deltas),
            is_firm=True,
        ),
        Purge.of_queries(
            "processes",
            "processes that have not been heard of",
            PATIENCE_DAYS,
            count=_SQL.count_silent,
            batch=_SQL.purge_silent,
            is_firm=True,
        ),
    ]


async def _count_deltas(tx: Transaction, before: datetime) -> int:
    count: int = await tx.value(_SQL.count_deltas, {"before": before, "most": MOST_COUNTED + 1})
    return count


async def _purge_deltas(tx: Transaction, before: datetime, limit: int) -> int:
    """Unlike other purged data these counts were still needed, so deleting them is logged."""
    lost = await tx.execute(_SQL.purge_deltas, {"before": before, "limit": limit})
    if lost:
        log.error("usage.never_folded", deltas=lost, advice="run a worker of the queue stats")
    return lost
