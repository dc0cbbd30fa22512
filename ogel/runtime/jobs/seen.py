"""Jobs and keys as features may see them beside rows of their own: pieces of statements that these write."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.database.pieces import Piece

_SQL = Queries.beside(__name__)

# `{jobs}` in their queries: those that are not over, and the dead ones, in a relation with these columns.
JOBS = b"(SELECT id, queue_name, kind, payload, status, last_error FROM job_queue)"


def claims_of(job_id: str) -> Piece:
    """`claims (claimed_at, place)` of a job that is running: those that were lost, from 1 on, and the present one."""
    return Piece("claims", _SQL.claims_of, {"job_id": job_id})


def breakers_of(keys: Sequence[str]) -> Piece:
    """`breakers (key, probe_at, ramp_until)`: open until it is asked at the one time, recovering until the other."""
    return Piece("breakers", _SQL.breakers_of, {"keys": list(keys)})


def ramping_keys() -> Piece:
    """`ramping (key)`: those that recover."""
    return Piece("ramping", _SQL.ramping, {})


def dead_jobs_of_seen() -> Sequence[Piece]:
    """
    Locks the dead jobs of what is `seen (id)` and has one each (`job_id_of`). `busy (id)` is what has one that somebody
    else holds.
    """
    return [
        Piece("dead", _SQL.dead_of_seen, {}),
        Piece("locked", _SQL.locked_dead, {}),
        Piece("busy", _SQL.busy, {}),
    ]


def forget_dead_jobs() -> Piece:
    """Those of what is `old (id)`: see dead_jobs_of_seen."""
    return Piece("gone_jobs", _SQL.forget_dead, {})
