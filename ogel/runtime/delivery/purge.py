"""Deletes messages that were delivered or given up after the retention, with their dead jobs."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.jobs.seen import dead_jobs_of_seen, forget_dead_jobs
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_with_jobs(
    name: str, deletes: str, retention_days: float, table: bytes, belongings: Sequence[bytes]
) -> Purge:
    """
    Builds the purge of a feature's table whose rows have an id, a `status`, an end (`finished_at`) and one job each
    (`job_id_of`). `belongings` are DELETEs of what goes with the rows in `old (id)`. All is one statement.
    """
    pieces = [
        Piece("seen", _SQL.seen % table, {}),
        *dead_jobs_of_seen(),
        Piece("old", _SQL.old % table, {}),
        forget_dead_jobs(),
        *(Piece(f"gone_{place}", sql, {}) for place, sql in enumerate(belongings)),
        Piece("gone", _SQL.gone % table, {}, says=_SQL.walked),
    ]
    statement, _ = together(pieces)
    return Purge.of_walk(name, deletes, retention_days, count=_SQL.count_old % table, batch=statement)
