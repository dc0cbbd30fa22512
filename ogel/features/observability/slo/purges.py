"""Purges of what objectives are held against, past the longest window; and of counts that were never added up."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)

# Firm: the longest window is 30 days, and may begin with a part of one.
KEPT_DAYS = 35.0
PATIENCE_DAYS = 7.0


def purges_of_slo() -> Sequence[Purge]:
    return [
        Purge.of_queries(
            "slo_tallies",
            "counts that are older than the longest window of objectives",
            KEPT_DAYS,
            count=_SQL.count_old,
            batch=_SQL.purge_old,
            is_firm=True,
        ),
        Purge.of_queries(
            "slo_uptime",
            "hours of uptime that are older than the longest window",
            KEPT_DAYS,
            count=_SQL.count_uptime,
            batch=_SQL.purge_uptime,
            is_firm=True,
        ),
        Purge.of_queries(
            "slo_commits",
            "times of commits whose deployments are older than the longest window",
            KEPT_DAYS,
            count=_SQL.count_commits,
            batch=_SQL.purge_commits,
            is_firm=True,
        ),
        Purge.of_queries(
            "slo_deltas",
            "counts for objectives that no worker of `stats` has added up",
            PATIENCE_DAYS,
            count=_SQL.count_deltas,
            batch=_SQL.purge_deltas,
            is_firm=True,
        ),
    ]
