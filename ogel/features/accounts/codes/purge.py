"""Codes and flows that nobody can use any more are deleted a day after they expired."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

# Until then, whoever comes too late is told that it was too late.
_DAYS = 1.0
_SQL = Queries.beside(__name__)


def purges_of_codes() -> list[Purge]:
    return [
        Purge.of_queries(
            "one_time_codes",
            "codes of mail that nobody used",
            _DAYS,
            count=_SQL.count_expired_codes,
            batch=_SQL.purge_expired_codes,
        ),
        Purge.of_queries(
            "flow_states",
            "sign-ins that nobody finished",
            _DAYS,
            count=_SQL.count_expired_flows,
            batch=_SQL.purge_expired_flows,
        ),
    ]
