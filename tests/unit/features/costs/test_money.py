"""Cents add up, and none is a whole cent away from what it was."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ogel.features.costs.bill import Used, bill, to_pay
from ogel.features.costs.money import CENT, apportioned, cents, exact
from ogel.runtime.prices.table import RESOURCES, price_table

PRICES = price_table()
AMOUNTS = st.decimals(0, 1000, places=6)


@given(st.dictionaries(st.text(max_size=3), AMOUNTS, max_size=12))
def test_parts_add_up_to_the_total(parts: dict[str, Decimal]) -> None:
    total = cents(sum(parts.values(), Decimal(0)))
    rounded = apportioned(total, parts)
    assert sum(rounded.values()) == total
    assert all(abs(rounded[key] - parts[key]) < CENT for key in parts)


@given(
    st.lists(
        st.builds(
            Used,
            st.sampled_from(["api", "worker", "Postgres", "消息"]),
            st.sampled_from(RESOURCES),
            st.decimals(0, 100_000, places=6),
            st.just("railway usage"),
        ),
        max_size=20,
    )
)
def test_a_bill_adds_up_both_ways(used: list[Used]) -> None:
    found = bill(used, PRICES)
    exactly = sum((PRICES.of(each.resource, each.quantity) for each in used), Decimal(0))
    assert found.total == cents(exactly)
    assert sum(found.services.values()) == sum(found.resources.values()) == found.total
    for service, dollars in found.services.items():
        assert sum(line.dollars for line in found.lines if line.service == service) == dollars
    for line in found.lines:
        assert abs(line.dollars - PRICES.of(line.resource, line.quantity)) < CENT


def test_who_lost_most_gets_the_cent() -> None:
    thirds = {name: Decimal("0.333333") for name in "abc"}
    assert apportioned(Decimal("1.00"), thirds) == {
        "a": Decimal("0.34"),
        "b": Decimal("0.33"),
        "c": Decimal("0.33"),
    }


def test_many_services_that_cost_less_than_a_cent_cost_some_together() -> None:
    """0.4 cents each: rounded one by one, twelve of them would be free."""
    used = [Used(f"worker-{place}", "memory", Decimal("17.28"), "metrics") for place in range(12)]
    found = bill(used, PRICES)
    assert found.total == Decimal("0.05") == sum(found.services.values())


def test_numbers_are_taken_as_they_are_written() -> None:
    assert exact(0.1) == Decimal("0.1")


def test_a_plan_includes_what_its_fee_pays_for() -> None:
    hobby = PRICES.plans["hobby"]
    assert [to_pay(Decimal(spent), hobby) for spent in ("0", "4.99", "5", "7.50")] == [
        Decimal("5"),
        Decimal("5"),
        Decimal("5"),
        Decimal("7.50"),
    ]
