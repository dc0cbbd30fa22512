"""Following attempts: each is told once, also one whose transaction commits long after later ones."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.webhooks.deliveries.delivery import Outcome
from ogel.features.webhooks.deliveries.tail import Recorded, TailCursor
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database

PAGE = 100
ATTEMPT = (
    "INSERT INTO webhook_attempts (delivery_id, number, outcome, started_at) "
    "SELECT 'd' || n, 1, 'delivered', now() - interval '20 s' FROM generate_series(%s::int, %s::int) AS n"
)
SEED = """
INSERT INTO events (id, type, data) SELECT 'e' || n, 'a.b', '1' FROM generate_series(1, 2000) AS n;
INSERT INTO webhook_deliveries (id, event_id, webhook_id) SELECT 'd' || n, 'e' || n, 'wh_' || n % 2
FROM generate_series(1, 2000) AS n
"""


class Tail:
    """As `ogel webhooks tail` follows, on the service beside it instead of the API."""

    def __init__(
        self, database: Database, since: datetime, webhook: str | None = None, *outcomes: Outcome
    ) -> None:
        self._recorded, self._since, self._which = Recorded(database), since, (webhook, outcomes)
        self._told: set[TailCursor] = set()

    async def look(self) -> list[str]:
        start: TailCursor | None = TailCursor(self._since)
        new, settled = [], None
        while start is not None:
            attempts, start, settled_at = await self._recorded.page(start, *self._which, PAGE)
            settled = settled or settled_at
            assert len(attempts) <= PAGE
            for each in attempts:
                place = TailCursor(each.recorded_at, each.delivery, each.number)
                if place not in self._told:
                    self._told.add(place)
                    new.append(each.delivery)
        assert settled is not None
        self._since = max(self._since, settled)
        return new


async def told(tail: Tail) -> list[str]:
    return await tail.look()


async def story(database_url: str) -> None:
    async with make_pool(database_url, PoolOptions(1, 2, 30, 5, 10)) as pool:
        database = Database(pool, lambda _: None)
        tail = Tail(database, utc_now() - timedelta(minutes=1))
        odd = Tail(database, utc_now() - timedelta(minutes=1), "wh_1", "delivered")
        with (
            psycopg.connect(database_url, application_name="ogel worker-webhooks") as late,
            psycopg.connect(database_url, application_name="ogel", autocommit=True) as prompt,
        ):
            late.execute(ATTEMPT, (1, 1))
            prompt.execute(ATTEMPT, (2, 2))
            assert await told(tail) == ["d2"]
            assert await told(tail) == []
            # More than a page, and of one moment.
            prompt.execute(ATTEMPT, (3, 2 + 2 * PAGE))
            assert len(await told(tail)) == 2 * PAGE
            late.commit()
            assert await told(tail) == ["d1"]
            assert await told(tail) == []
            prompt.execute("UPDATE webhook_attempts SET recorded_at = now() WHERE delivery_id = 'd2'")
            assert await told(tail) == ["d2"]  # known better, as when a result comes late
        assert {int(id[1:]) % 2 for id in await told(odd)} == {1}


def test_none_is_left_out_and_none_told_twice(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for statement in SEED.split(";"):
            connection.execute(statement)
    asyncio.run(story(database_url))
