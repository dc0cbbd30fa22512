"""Writes how claims ended, with what the job kinds record about it. Only claims that still hold their jobs count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from ogel.kernel.text import storable
from ogel.runtime.database.database import Database, Queries, Transaction, records
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.jobs.job import RETRY, Finished
from ogel.runtime.jobs.kind import JobKind

_SQL = Queries.beside(__name__)

# Outcomes after which a job leaves the table.
_OVER = ("done", "cancelled")


class _Over(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of the query `end`; `status` is left out for jobs that are done."""

    id: str
    lease_id: str
    status: str | None = None
    result: msgspec.Raw | None = None


class _Returned(msgspec.Struct, frozen=True):
    """A row of the query `give_back`."""

    id: str
    lease_id: str
    status: str
    scheduled_at: datetime | None
    priority: int
    refund: int
    error: str | None


class EndingStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, results: Sequence[Finished], kinds: Mapping[str, JobKind]) -> int:
        """Writes all results or none. Returns how many came too late, because their job had a new owner."""
        if (at_once := await self._write_at_once(results, kinds)) is not None:
            return at_once
        recording = [kind for kind in kinds.values() if kind.record is not None]
        cancelled = [f for f in results if f.outcome.verdict == "cancelled"]
        async with self._database.transaction() as tx:
            owned = await self._end(tx, results)
            for kind in kinds.values():
                dropped = [f.job.payload for f in cancelled if f.job.kind == kind.name and _claim(f) in owned]
                if dropped and kind.discarded is not None:
                    await kind.discarded(tx, dropped)
            for kind in recording:
                mine = [f for f in results if f.job.kind == kind.name and f.outcome.verdict != "cancelled"]
                if kind.record is not None and (told := [f for f in mine if _claim(f) in owned]):
                    await kind.record(tx, told)
                await _tell_late(tx, kind, mine, owned)
        return len(results) - len(owned)

    async def _write_at_once(self, results: Sequence[Finished], kinds: Mapping[str, JobKind]) -> int | None:
        """Writes all in one statement, which needs no transaction. Returns None when one statement is not enough."""
        if any(f.outcome.verdict != "done" for f in results) or _has_twins(results):
            return None
        pieces: list[Piece] = []
        for kind in kinds.values():
            mine = [f for f in results if f.job.kind == kind.name]
            if mine and kind.record is not None:
                recorded = kind.recorded(mine) if kind.recorded is not None else None
                if recorded is None:
                    return None
                pieces += recorded
        async with self._database.autocommit() as tx:
            owned = await _ended(tx, results, pieces)
        if len(owned) < len(results):
            async with self._database.transaction() as tx:
                for kind in kinds.values():
                    await _tell_late(tx, kind, results, owned)
        return len(results) - len(owned)

    async def _end(self, tx: Transaction, results: Sequence[Finished]) -> set[tuple[str, str]]:
        """Ends job and lease of each claim that was still valid; two claims of one job may end here together."""
        over = [f for f in results if f.outcome.verdict in _OVER]
        others = [f for f in results if f.outcome.verdict not in _OVER]
        owned = await _ended(tx, over) if over else set()
        if others:
            rows = records([_returned(f) for f in others])
            owned.update(await tx.tuples(_SQL.give_back, {"rows": rows}))
        return owned


async def _ended(
    tx: Transaction, over: Sequence[Finished], pieces: Sequence[Piece] = ()
) -> set[tuple[str, str]]:
    rows = records([_over(f) for f in over])
    ended = Piece("ended", _SQL.end, {"ended": rows}, says=_SQL.which_ended)
    return set(await tx.tuples(*together([ended, Piece("kept", _SQL.keep, {}), *pieces])))


async def _tell_late(
    tx: Transaction, kind: JobKind, results: Sequence[Finished], owned: set[tuple[str, str]]
) -> None:
    late = [f for f in results if f.job.kind == kind.name and _claim(f) not in owned]
    if kind.late is not None and late:
        await kind.late(tx, late)


def _has_twins(results: Sequence[Finished]) -> bool:
    """Whether two claims of one job ended here. What is written of either depends on which one holds the job."""
    return len({f.job.id for f in results}) < len(results)


def _claim(finished: Finished) -> tuple[str, str]:
    return finished.job.id, finished.job.lease_id


def _over(finished: Finished) -> _Over:
    job, outcome = finished.job, finished.outcome
    status = None if outcome.verdict == "done" else outcome.verdict
    return _Over(job.id, job.lease_id, status, outcome.result)


def _returned(finished: Finished) -> _Returned:
    job, outcome = finished.job, finished.outcome
    status = "dead" if outcome.verdict == "dead" else "pending"
    refund = 1 if outcome.verdict == "postpone" else 0
    priority = max(job.priority, RETRY) if outcome.verdict == "retry" else job.priority
    error = None if outcome.error is None else storable(outcome.error)
    return _Returned(job.id, job.lease_id, status, finished.next_attempt_at, priority, refund, error)
