"""Results: written at once when nothing else is being written, and together otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from prometheus_client import CollectorRegistry

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.endings import EndingStore
from ogel.runtime.jobs.job import DONE, Finished, Job
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.results import ResultWriter

LIMIT_SECONDS = 10


class Slow:
    """A store whose writes take until they are let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.let_go = asyncio.Event()

    async def write(self, results: Sequence[Finished], kinds: Any) -> int:
        self.batches.append([each.job.id for each in results])
        await self.let_go.wait()
        return 0


def finished(id: str) -> Finished:
    now = utc_now()
    return Finished(Job(id, "trial.do", {}, 0, "", "", 1, 8, "lease", now, now, None), DONE, None)


def test_a_lone_result_is_written_at_once() -> None:
    async def story() -> None:
        store = Slow()
        writer = ResultWriter(
            cast(EndingStore, store), {}, JobMetrics(CollectorRegistry()), "trial", lambda _: None
        )
        writing = asyncio.create_task(writer.run())
        await asyncio.sleep(0)
        writer.add(finished("job_1"))
        writer.add(finished("job_2"))
        for _ in range(5):  # turns of the loop, and no time
            await asyncio.sleep(0)
        assert store.batches == [["job_1", "job_2"]]
        store.let_go.set()
        await asyncio.wait_for(writer.close(LIMIT_SECONDS), LIMIT_SECONDS)
        await asyncio.wait_for(writing, LIMIT_SECONDS)

    asyncio.run(story())
