"""Finished replays are deleted after their retention."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_of_replays(retention_days: float) -> Purge:
    return Purge.of_queries(
        "replays", "replays that are over", retention_days, count=_SQL.count_old, batch=_SQL.purge_old
    )
