"""Lists of jobs: what a page costs is counted in pages of the table touched, which no busy machine changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ogel.features.jobs.job import JobInfo
from ogel.features.jobs.service import JobService
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.depths import Depths
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from tests.support.jobs import QUEUE, World, world

WAITING = 30_000
# Of a page of 25 jobs, of three statuses.
MOST_PAGES = 300


async def nothing(*_: Any) -> None:
    pass


def service(w: World) -> JobService:
    unused: Any = None
    return JobService(w.database, JobQueue(), unused, Depths(w.database, [QUEUE]), unused, unused, [*w.kinds])


def filters(**given: Any) -> Mapping[str, Any]:
    return {"queue": None, "kind": None, "status": None, "after": None, "limit": 26, **given}


async def fill(w: World, *, analysed: bool) -> None:
    """A flood in one queue, and before it three jobs in another, of which one is dead and one of a held key."""
    await w.enqueue(*(NewJob("rare.do", {"n": n}, key=f"key{n}", id=f"job_0{n}") for n in range(3)))
    async with w.database.transaction() as tx:
        await w.keys.hold(tx, "key2")
        await tx.execute(b"UPDATE job_queue SET status = 'dead' WHERE id = 'job_01'")
        await tx.execute(
            b"INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts)"
            b" SELECT 'job_1' || lpad(n::text, 9, '0'), 'trial', 'trial.do', '{}', 3"
            b" FROM generate_series(1, %(waiting)s::int) AS n",
            {"waiting": WAITING},
        )
        if analysed:
            await tx.execute(b"ANALYZE job_queue")


KINDS = [JobKind("trial.do", QUEUE, nothing), JobKind("rare.do", "rare", nothing)]
LISTS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["job_1000030000", "job_1000029999"]),
    ({"queue": QUEUE}, ["job_1000030000", "job_1000029999"]),
    ({"queue": QUEUE, "status": "pending"}, ["job_1000030000", "job_1000029999"]),
    ({"queue": QUEUE, "after": "job_1000000003"}, ["job_1000000002", "job_1000000001"]),
    ({"after": "job_1000000002"}, ["job_1000000001", "job_02", "job_01", "job_00"]),
    ({"queue": QUEUE, "status": "dead"}, []),
    ({"queue": QUEUE, "status": "held"}, []),
    ({"queue": "rare"}, ["job_02", "job_01", "job_00"]),
    ({"queue": "rare", "kind": "rare.do", "status": "pending"}, ["job_00"]),
    ({"queue": "rare", "status": "held"}, ["job_02"]),
    ({"status": "held"}, ["job_02"]),
    ({"status": "dead"}, ["job_01"]),
    ({"status": "running"}, []),
    ({"kind": "rare.do"}, ["job_02", "job_01", "job_00"]),
]


@pytest.mark.parametrize("analysed", [False, True])
def test_a_page_costs_the_same_however_much_waits(
    database_url: str, analysed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[int] = []
    ask = Transaction.all

    async def costed(self: Transaction, query: bytes, parameters: Any, row: Any) -> Any:
        [plan] = await self.value(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, parameters)
        costs.append(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
        return await ask(self, query, parameters, row)

    async def story() -> None:
        async with world(database_url, *KINDS) as w:
            await fill(w, analysed=analysed)
            monkeypatch.setattr(Transaction, "all", costed)
            for given, expected in LISTS:
                costs.clear()
                found: list[JobInfo] = await service(w).list(filters(**given))
                assert [job.id for job in found][: len(expected)] == expected, given
                assert len(found) == len(expected) or len(found) == 26, given
                assert sum(costs) < MOST_PAGES, given

    asyncio.run(story())
