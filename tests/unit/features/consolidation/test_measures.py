"""What a service consumes, in dollars a month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.consolidation.use.measures import Measures, measures_of, monthly
from ogel.runtime.prices.table import price_table
from ogel.runtime.railway import Point, Series, Volume

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
WEEK = 7 * 24


def series(measurement: str, values: Sequence[float | None], hours_ago: int = WEEK) -> Series:
    first = NOW - timedelta(hours=hours_ago)
    points = [Point(first + timedelta(hours=n), value) for n, value in enumerate(values)]
    return Series(measurement, {"service_id": "s"}, points)


def test_a_week_of_each_measurement() -> None:
    found = measures_of(
        [
            series("MEMORY_USAGE_GB", [0.2] * WEEK),
            series("CPU_USAGE", [0.0, 0.02] * (WEEK // 2)),
            series("NETWORK_TX_GB", [0.01] * WEEK),
            series("DISK_USAGE_GB", [3.0] * WEEK),
        ],
        [],
        NOW,
    )["s"]
    assert (found.memory_gb, found.cpu) == (pytest.approx(0.2), pytest.approx(0.01))
    assert (found.egress_gb, found.disk_gb) == (pytest.approx(7.2), pytest.approx(3.0))
    # 0.2 GB · $10 + 0.01 vCPU · $20 + 7.2 GB · $0.05 + 3 GB · $0.15
    assert monthly(found, price_table()) == 3.01


def test_what_sleeps_or_is_new_is_taken_for_what_it_is() -> None:
    """A day on and a day off is half; since yesterday, it is as it was since yesterday."""
    slept = measures_of([series("MEMORY_USAGE_GB", [0.4] * 24, hours_ago=48)], [], NOW)["s"]
    assert slept.memory_gb == pytest.approx(0.2)
    new = measures_of([series("MEMORY_USAGE_GB", [0.4] * 24, hours_ago=24)], [], NOW)["s"]
    assert new.memory_gb == pytest.approx(0.4)


def test_what_nobody_knows_is_no_zero() -> None:
    found = measures_of([series("MEMORY_USAGE_GB", [0.4, None] * 12, hours_ago=24)], [], NOW)["s"]
    assert found.memory_gb == pytest.approx(0.4)
    unknown = measures_of([series("CPU_USAGE", [None] * 24, hours_ago=24)], [], NOW)["s"]
    assert unknown == Measures()
    assert monthly(unknown, price_table()) is None


def test_a_volume_is_what_it_holds_now() -> None:
    volumes = [
        Volume("v", "data", "s", "e", "/data", 5000, 2048),
        Volume("w", "lost", None, "e", None, 5000, 99),
    ]
    found = measures_of([], volumes, NOW)
    assert found == {"s": Measures(disk_gb=2.0)}
    assert monthly(found["s"], price_table()) == 0.3
