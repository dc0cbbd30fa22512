"""What was delivered, or given up, is forgotten after a time, and its dead job with it."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.jobs.seen import dead_jobs_of_seen, forget_dead_jobs
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_with_jobs(
    name: str,
    deletes: str,
    retention_days: float,
    *,
    count: bytes,
    seen: bytes,
    old: bytes,
    forget: Sequence[bytes],
) -> Purge:
    """
    For rows that have one job each (`job_id_of`). Pieces of one statement, which see each other:

    seen    the next rows of the walk (see Purge.of_walk): id and `finished_at`.
    old     locks those that are `seen` and may go, and passes over what others have locked and what is `busy`: others
            lock a job before what it is about, so that waiting for one could be waiting in a circle.
    forget  DELETEs of what belongs to the `old`, last of the rows themselves, whose ids it returns.
    """
    *belongings, themselves = forget
    pieces = [
        Piece("seen", seen, {}),
        *dead_jobs_of_seen(),
        Piece("old", old, {}),
        forget_dead_jobs(),
        *(Piece(f"gone_{place}", sql, {}) for place, sql in enumerate(belongings)),
        Piece("gone", themselves, {}, says=_SQL.walked),
    ]
    statement, _ = together(pieces)
    return Purge.of_walk(name, deletes, retention_days, count=count, batch=statement)
