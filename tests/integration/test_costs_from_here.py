"""What a suite costs by its own measurements, against arithmetic done by hand: hour by hour, over restarts and gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.costs import from_here
from ogel.features.costs.bill import bill
from ogel.features.costs.reading import Reading
from ogel.features.observability.measurements import StoredMeasurements
from ogel.features.observability.resources.store import ResourceStore
from ogel.features.observability.usage.store import UsageStore
from ogel.runtime.database.database import Database
from ogel.runtime.prices.table import price_table

PRICES = price_table()
GB = 1024**3
START = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
Row = tuple[str, datetime, str, float]


def test_a_suite_of_two_processes(database_url: str) -> None:
    """
    Two days are 2,880 min.

    api       0.5 GB and 0.25 vCPU: 1,440 GB-min * $10 / 43,200 = 0.33, 720 vCPU-min * $20 / 43,200 = 0.33
    worker    0.25 GB for one day, then started anew, as another process: 0.25 GB * 2,880 = 720 GB-min = 0.17
    Redis     0.1 GB: 288 GB-min = 0.07
    Postgres  a volume of 4 GB: 11,520 GB-min * $0.15 / 43,200 = 0.04
    files     20 GB in a bucket: 57,600 GB-min * $0.015 / 43,200 = 0.02
    sent      3 GB * $0.05 = 0.15
    """
    end = START + timedelta(days=2)
    rows = [
        *levels("process.memory_bytes", "api host:1", 0.5, START, end),
        *counter("api host:1", 0.25, START, end),
        *levels("process.memory_bytes", "worker host:2", 0.25, START, START + timedelta(days=1)),
        *levels("process.memory_bytes", "worker host:9", 0.25, START + timedelta(days=1), end),
        *levels("redis.memory_bytes", "", 0.1, START, end),
        *levels("database.size_bytes", "", 4, START, end),
        *levels("storage.bytes", "", 20, START, end),
    ]
    sent = [(START, 1 * GB), (START + timedelta(days=1), 2 * GB)]
    read = Reader(database_url, rows, sent)
    found = read([end])[-1]
    assert amounts(found) == {
        ("api", "memory"): "0.33",
        ("api", "cpu"): "0.33",
        ("worker", "memory"): "0.17",
        ("Redis", "memory"): "0.07",
        ("Postgres", "volume"): "0.04",
        ("files", "bucket"): "0.02",
        ("(project)", "egress"): "0.15",
    }
    assert found.missing, "it never sees all of a project"
    assert [round(each, 2) for each in found.daily(PRICES)] == [Decimal("0.53"), Decimal("0.58")]

    # Read every hour, with the process anew each time, it comes to the same.
    hourly = read([START + timedelta(hours=hour) for hour in range(1, 49)])
    assert amounts(hourly[-1]) == amounts(found)
    assert hourly[-1].days == found.days


def test_what_ran_before_the_suite_was_measured_is_missing(database_url: str) -> None:
    began, end = START + timedelta(days=3), START + timedelta(days=4)
    read = Reader(database_url, levels("process.memory_bytes", "api host:1", 1, began, end), [])
    found, later = read([end, end + timedelta(hours=1)])
    assert "what was used before 2026-11-04 00:00 UTC, when measuring began" in found.missing
    assert later.missing == found.missing, "it stays so"
    assert amounts(found) == {("api", "memory"): "0.33", ("(project)", "egress"): "0.00"}
    assert found.a_month(PRICES) == 10


def test_a_suite_that_was_stopped_cost_nothing_then(database_url: str) -> None:
    stop, again, end = (START + timedelta(hours=hours) for hours in (12, 36, 48))
    rows = [
        *levels("process.memory_bytes", "api host:1", 1, START, stop),
        *levels("process.memory_bytes", "api host:2", 1, again, end),
    ]
    [found] = Reader(database_url, rows, [])([end])
    assert amounts(found)["api", "memory"] == "0.33"  # 24 of 48 h


def test_another_month_begins_with_nothing_and_remembers_the_days(database_url: str) -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC)
    rows = levels(
        "process.memory_bytes", "api host:1", 1, december - timedelta(days=2), december + timedelta(days=1)
    )
    before, after = Reader(database_url, rows, [])([december - STEP, december + timedelta(days=1)])
    assert amounts(before)["api", "memory"] == "0.67" and amounts(after)["api", "memory"] == "0.33"
    assert after.period.start == december
    assert len(after.daily(PRICES)) == 3


def levels(name: str, process: str, gb: float, since: datetime, until: datetime) -> list[Row]:
    return [(name, at, process, gb * GB) for at in times(since, until)]


def counter(process: str, cpus: float, since: datetime, until: datetime) -> list[Row]:
    """One sample more, so that the last five minutes are counted."""
    return [
        ("process.cpu_seconds", at, process, cpus * (at - since).total_seconds())
        for at in times(since, until + STEP)
    ]


def times(since: datetime, until: datetime) -> list[datetime]:
    return [since + place * STEP for place in range((until - since) // STEP)]


class Reader:
    """Reads at each of the times, going on from the reading before as it was stored."""

    def __init__(self, database_url: str, rows: Sequence[Row], sent: Sequence[tuple[datetime, int]]) -> None:
        self._url = database_url
        with psycopg.connect(database_url) as connection:
            connection.execute("SET search_path = ogel")
            with connection.cursor().copy(
                "COPY resource_samples (name, sampled_at, labels, value) FROM STDIN"
            ) as copy:
                for name, at, process, value in rows:
                    copy.write_row((name, at, f'{{"process": "{process}"}}' if process else "{}", value))
            connection.cursor().executemany(
                "INSERT INTO usage (bucket, at, metric, labels, value) VALUES ('day', %s, 'http.sent_bytes', '{}', %s)",
                sent,
            )

    def __call__(self, times: Sequence[datetime]) -> list[Reading]:
        return asyncio.run(self._read(times))

    async def _read(self, times: Sequence[datetime]) -> list[Reading]:
        async with make_pool(self._url, PoolOptions(1, 4, 30, 5, 10)) as pool:
            here = StoredMeasurements(Database(pool, lambda _: None), ResourceStore(), UsageStore())
            readings: list[Reading] = []
            before = None
            for now in times:
                readings.append(await from_here.read(here, "here", True, now, before))
                before = msgspec.json.decode(msgspec.json.encode(readings[-1]), type=Reading)
            return readings


def amounts(reading: Reading) -> dict[tuple[str, str], str]:
    found = bill(reading.used, PRICES)
    return {(line.service, line.resource): str(line.dollars) for line in found.lines}
