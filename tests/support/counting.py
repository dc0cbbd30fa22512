"""What tests of counts share: a database, one that loses its answers, and a job that adds counts up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.jobs.job import Job


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Database]:
    async with make_pool(database_url, PoolOptions(1, 4, 30, 5, 10)) as pool:
        yield Database(pool, lambda _: None)


class Deaf(Database):
    """Hears of no flush that it arrived, as when the connection is lost after the commit."""

    deaf = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        if self.deaf:
            raise DatabaseAway("The database did not answer.")


def job() -> Job:
    return Job("job_1", "trial", {}, 0, "", "", 1, 1, "lease_1", utc_now(), utc_now(), None)
