"""Readings of projects on Railway at a time that stands still: to the cent, and with what could not be had named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.costs import service
from ogel.features.costs.contract import ThisPeriod
from ogel.features.costs.from_railway import read
from ogel.features.costs.reading import Reading
from ogel.features.costs.service import Cost, CostService
from ogel.features.costs.statement import Budget, state
from ogel.features.costs.store import ReadingStore
from ogel.features.observability.measurements import StoredMeasurements
from ogel.features.observability.resources.store import ResourceStore
from ogel.features.observability.usage.store import UsageStore
from ogel.platform.railway import railway
from ogel.runtime.alerts import Sample
from ogel.runtime.database.database import Database
from ogel.runtime.prices.table import price_table
from ogel.settings import NOWHERE
from tests.support.railway import RailwayServer, World

PRICES = price_table()
# Eleven days of a billing period from the 10th to the 10th: 15,840 min.
NOW = datetime(2026, 11, 21, tzinfo=UTC)
START, END = datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 12, 10, tzinfo=UTC)
GB = 1024**3


class Shop:
    def __init__(self) -> None:
        self.world = World(now=lambda: NOW)
        self.workspace = self.world.workspace(period_start=START, period_end=END)
        self.project = self.world.project("shop", self.workspace)
        self.production = self.project.environment("production")
        self.server = RailwayServer(self.world)

    def read(self, **oddity: Any) -> Reading:
        if oddity:
            self.server.misbehave(times=None, **oddity)

        async def reading() -> Reading:
            settings = replace(NOWHERE, railway_api=self.server.url, railway_api_token=self.world.api_token)
            async with railway(settings) as asked:
                return await read(asked, self.project.id, NOW)

        return asyncio.run(reading())


@pytest.fixture
def empty() -> Iterator[Shop]:
    made = Shop()
    with made.server:
        yield made


@pytest.fixture
def shop(empty: Shop) -> Shop:
    metrics = {"MEMORY_USAGE_GB": 1.0, "CPU_USAGE": 0.1, "NETWORK_TX_GB": 0.5}
    empty.production.service("api", metrics=metrics)
    return empty


def test_a_bill_to_the_cent(shop: Shop) -> None:
    """
    memory   1 GB * 15,840 min * $10 / 43,200 = 3.6667
    cpu      0.1 vCPU * 15,840 min * $20 / 43,200 = 0.7333
    egress   0.5 GB * 264 h * $0.05 = 6.60
    in all   11.00; at this rate 1.00 a day, so 30.00 a month, and with the 19 days that are left 30.00 in the period
    """
    found = state(shop.read(), PRICES, Budget(Decimal(20), (50, 75)))
    assert found.spent == Decimal("11.00") and found.a_month == Decimal("30.00")
    assert found.resources == {"memory": Decimal("3.67"), "cpu": Decimal("0.73"), "egress": Decimal("6.60")}
    assert found.forecast is not None
    assert (found.forecast.dollars, found.forecast.error) == (Decimal("30.00"), Decimal("0.00"))
    assert found.estimated == Decimal("30.00") and not found.is_partial
    assert found.budget is not None
    assert (found.budget.passed, found.budget.is_over, found.budget.will_be_over) == ([50], False, True)


def test_metrics_come_to_what_usage_says(shop: Shop) -> None:
    usage = shop.read()
    metrics = shop.read(error="usage", when="query Usage")
    assert (usage.origin, metrics.origin) == ("railway usage", "railway metrics")
    assert abs(metrics.spent(PRICES) / usage.spent(PRICES) - 1) < Decimal("0.001")
    assert metrics.daily(PRICES) == usage.daily(PRICES)


def test_environments_are_added_up(shop: Shop) -> None:
    """Services have the same id in each; what runs in staging is billed as well."""
    staging = shop.project.environment("staging")
    staging.service("api", metrics={"MEMORY_USAGE_GB": 0.5})
    assert state(shop.read(), PRICES).resources["memory"] == Decimal("5.50")
    metrics = shop.read(error="usage", when="query Usage")
    assert state(metrics, PRICES).resources["memory"] == Decimal("5.50")
    assert [round(each, 4) for each in metrics.daily(PRICES)][-1] == Decimal("1.1667")


def test_a_reading_asks_little(shop: Shop) -> None:
    """Of a hundred requests an hour on the Free plan."""
    shop.project.environment("staging")
    shop.project.environment("pr-7")
    shop.read()
    assert len(shop.server.asked) <= 14, shop.server.operations()


def test_an_environment_that_is_not_told_is_missing(shop: Shop) -> None:
    staging = shop.project.environment("staging")
    staging.service("api", metrics={"MEMORY_USAGE_GB": 0.5})
    shop.server.misbehave(error="usage", when="query Usage", times=None)

    def staging_only(answer: dict[str, Any]) -> None:
        if any(series["values"][0]["value"] == 0.5 for series in answer["data"]["metrics"][:1]):
            answer["data"] = None
            answer["errors"] = [{"message": "Not Authorized", "extensions": {"code": "FORBIDDEN"}}]

    found = shop.read(edit=staging_only, when="query Metrics")
    assert state(found, PRICES).resources["memory"] == Decimal("3.67")
    assert [each for each in found.missing if each.startswith("the environment staging: ")]


def test_metrics_that_do_not_come_leave_the_bill_as_it_is(shop: Shop) -> None:
    """They are the largest of the answers; the bill needs none of them, and a forecast does."""
    found = shop.read(cut=True, when="query Metrics")
    said = state(found, PRICES)
    assert (said.spent, said.is_partial, said.forecast) == (Decimal("11.00"), False, None)
    assert [each for each in found.notes if each.startswith("days are without the environment production: ")]


def test_what_is_not_said_is_named(shop: Shop) -> None:
    shop.project.bucket("files", size_bytes=3 * GB)
    shop.production.instances[0].volume("data", "/data", used_mb=500)

    def forgetful(answer: dict[str, Any]) -> None:
        answer["data"]["usage"] = [
            row for row in answer["data"]["usage"] if row["measurement"] != "CPU_USAGE"
        ]
        memory, egress = answer["data"]["usage"]
        memory["value"], egress["value"] = -1.0, 1e300

    found = shop.read(edit=forgetful, when="query Usage")
    assert set(found.missing) == {
        "api, memory: Railway says -1.0",
        "api, egress: Railway says 1e+300",
        "memory: Railway tells nothing of any service",
        "cpu: Railway tells nothing of any service",
        "volume: Railway tells nothing of any service",
    }
    assert state(found, PRICES).is_partial


def test_an_estimate_that_lacks_something_is_none(shop: Shop) -> None:
    def absurd(answer: dict[str, Any]) -> None:
        answer["data"]["estimatedUsage"][0]["estimatedValue"] = -1.0

    assert state(shop.read(), PRICES).estimated is not None
    found = shop.read(when="estimatedUsage", edit=absurd)
    assert found.estimated is None
    assert any("what Railway expects is not told: MEMORY_USAGE_GB is -1.0" in each for each in found.notes)


def test_a_bucket_is_billed_by_the_gb_that_is_begun(shop: Shop) -> None:
    """2.1 GB are 3: 3 * 15,840 min * $0.015 / 43,200 = 0.0165."""
    shop.project.bucket("files", size_bytes=2.1 * GB)
    found = shop.read()
    [bucket] = [each for each in found.used if each.resource == "bucket"]
    assert (bucket.service, bucket.quantity, bucket.origin) == (
        "files (bucket)",
        47_520,
        "railway bucket size",
    )
    assert state(found, PRICES).spent == Decimal("11.02")


def test_a_period_that_is_over_is_no_period(empty: Shop) -> None:
    """A month of the calendar is: 20 days, 28,800 min * 1 GB * $10 / 43,200 = 6.67."""
    empty.workspace.period_start, empty.workspace.period_end = START - timedelta(days=30), START
    empty.production.service("api", metrics={"MEMORY_USAGE_GB": 1.0, "CPU_USAGE": 0.0})
    found = empty.read()
    assert found.period.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert any("the billing period that Railway tells is over" in each for each in found.notes)
    assert state(found, PRICES).spent == Decimal("6.67")


def test_a_project_of_six_hours_has_their_rate(empty: Shop) -> None:
    """1 GB is $10 a month, though the last 24 hours have used a quarter of a day."""
    since = NOW - timedelta(hours=6)
    points = [(since + timedelta(hours=hour), 1.0) for hour in range(6)]
    empty.production.service("api", metrics={"MEMORY_USAGE_GB": points, "CPU_USAGE": [(since, 0.0)]})
    found = state(empty.read(), PRICES)
    assert found.a_month == Decimal("10.00") and found.forecast is None


def test_an_empty_project_costs_nothing(empty: Shop) -> None:
    found = state(empty.read(), PRICES)
    assert (found.spent, found.services, found.is_partial) == (0, [], False)


def test_a_billing_period_that_ends_while_railway_is_away_is_told_on(
    empty: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the 10th to the 10th: what was read an hour ago is not 'not read since the 1st'."""

    async def looked() -> tuple[Cost, Sequence[Sample], ThisPeriod | None]:
        settings = replace(NOWHERE, railway_api=empty.server.url, railway_api_token=empty.world.api_token)
        async with railway(settings) as asked, make_pool(database_url, PoolOptions(1, 4, 30, 5, 10)) as pool:
            database = Database(pool, lambda _: None)
            here = StoredMeasurements(database, ResourceStore(), UsageStore())
            costs = CostService(
                database, ReadingStore(), asked, empty.project.id, here, False, PRICES, None, None
            )
            for now in (END - timedelta(minutes=43), END + timedelta(minutes=17)):
                monkeypatch.setattr(service, "utc_now", lambda now=now: now)
                await costs.read()
                empty.server.misbehave(status=429, headers={"Retry-After": "1800"}, times=None)
            return await costs.last(), await costs.samples(), await costs.this_period()

    last, samples, this_period = asyncio.run(looked())
    assert last.reading.period.start == START and last.trouble is not None
    assert [(each.name, each.value) for each in samples] == [("cost.read_hours", 1.0)]
    assert this_period is None
