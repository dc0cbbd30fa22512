"""What keeping and sending objects costs in each store."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ogel.features.costs.stores import StoreCost, Volume, compared
from ogel.runtime.prices.table import price_table

PRICES = price_table()


def of(store: str, **volume: object) -> StoreCost:
    volume = {name: Decimal(value) if isinstance(value, str) else value for name, value in volume.items()}
    return next(each for each in compared(Volume(**volume), PRICES) if each.store == store)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("store", "dollars"),
    [
        ("volume", "40.00"),  # 100 * 0.15 + 500 * 0.05
        ("bucket", "1.50"),  # 100 * 0.015
        ("r2", "1.35"),  # 90 * 0.015
        ("b2", "2.54"),  # 90 * 0.006 + (500 - 300) * 0.01
        ("s3", "38.30"),  # 100 * 0.023 + (500 - 100) * 0.09
        ("wasabi", "7.99"),  # a TB at least
    ],
)
def test_100_gb_kept_and_500_gb_sent(store: str, dollars: str) -> None:
    cost = of(store, stored_gb="100", sent_gb="500")
    assert cost.dollars == Decimal(dollars) == cost.kept + cost.sent + cost.requests + cost.service
    assert (cost.note is not None) == (store == "wasabi")


def test_the_cheapest_comes_first() -> None:
    dollars = [each.dollars for each in compared(Volume(Decimal(100), Decimal(500)), PRICES)]
    assert dollars == sorted(dollars)


def test_a_bucket_bills_whole_gb() -> None:
    assert of("bucket", stored_gb="0.2", sent_gb="0").kept == Decimal("0.02")  # a GB: 0.015
    assert of("bucket", stored_gb="0", sent_gb="0").kept == 0


def test_requests_have_prices_beyond_the_free_ones() -> None:
    r2 = of("r2", stored_gb="0", sent_gb="0", writes=3_000_000, reads=20_000_000)
    assert r2.requests == Decimal("12.60")  # 2 million * 4.50 + 10 million * 0.36
    s3 = of("s3", stored_gb="0", sent_gb="0", writes=1000, reads=10_000)
    assert s3.requests == Decimal("0.01")  # 0.005 + 0.004
    assert of("bucket", stored_gb="0", sent_gb="0", writes=10**9, reads=10**9).requests == 0


def test_what_goes_through_a_service_is_its_egress() -> None:
    through = {"stored_gb": "100", "sent_gb": "500", "uploaded_gb": "20", "through_service": True}
    assert of("bucket", **through).service == Decimal("26.00")  # 520 * 0.05
    assert of("bucket", **through).dollars == Decimal("27.50")
    assert of("volume", **through).dollars == Decimal("40.00"), "a volume's price has it already"
