"""Parts of statements by which features may read jobs and keys beside their own rows."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.database.pieces import Piece

_SQL = Queries.beside(__name__)

# The relation that `{jobs}` in their queries stands for: unfinished and dead jobs, with these columns; `seq` is in the
# order in which they were written.
JOBS = b"(SELECT id, queue_name, kind, payload, status, last_error, seq FROM job_queue)"


def claims_of(job_id: str) -> Piece:
    """Defines `claims (claimed_at, place)` of a running job: lost claims, counted from 1, and the present one."""
    return Piece("claims", _SQL.claims_of, {"job_id": job_id})


def breakers_of(keys: Sequence[str]) -> Piece:
    """
    Defines `breakers (key, probe_at, ramp_until)`: open until the probe at the first time, recovering until the second.
    """
    return Piece("breakers", _SQL.breakers_of, {"keys": list(keys)})


def ramping_keys() -> Piece:
    """Defines `ramping (key)`: the keys that are recovering."""
    return Piece("ramping", _SQL.ramping, {})


def dead_jobs_of_seen() -> Sequence[Piece]:
    """
    Locks the dead jobs of the rows in `seen (id)`, each of which has one job (`job_id_of`). `busy (id)` are rows whose
    job somebody else has locked.
    """
    return [
        Piece("dead", _SQL.dead_of_seen, {}),
        Piece("locked", _SQL.locked_dead, {}),
        Piece("busy", _SQL.busy, {}),
    ]


def forget_dead_jobs() -> Piece:
    """Deletes the dead jobs of the rows in `old (id)`; see dead_jobs_of_seen."""
    return Piece("gone_jobs", _SQL.forget_dead, {})
