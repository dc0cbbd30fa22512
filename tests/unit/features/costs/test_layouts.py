"""What layouts cost, held against the tables that the model was made from."""

from __future__ import annotations

import runpy
from decimal import Decimal
from pathlib import Path

import pytest

from ogel.features.costs.layouts import (
    Assumptions,
    Process,
    assumed,
    compared,
    dollars_of,
    measured,
    suites,
)
from ogel.features.costs.money import cents
from ogel.runtime.prices.table import price_table

PRICES = price_table()
ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("services", "memory_mb", "cpu", "dollars"),
    [
        (1, 60 + 20 * 3, "0.002", "1.24"),  # everything in one process, 20 roles: about 1.3
        (3, 80, "0.002", "2.52"),
        (8, 60 + 4, "0.002", "5.44"),
        (20, 60 + 3, "0.002", "13.40"),
        (25, 80, "0.005", "22.50"),  # each polls
        (1, 45, "0.002", "0.49"),  # one idle service, three sizes
        (1, 60, "0.002", "0.64"),
        (1, 80, "0.005", "0.90"),
    ],
)
def test_the_cost_model(services: int, memory_mb: int, cpu: str, dollars: str) -> None:
    processes = [Process(Decimal(memory_mb), Decimal(cpu))] * services
    assert cents(sum(dollars_of(processes, PRICES))) == Decimal(dollars)


def test_assumptions_are_a_process_and_its_roles() -> None:
    said = Assumptions(Decimal(60), Decimal(3), Decimal("0.002"))
    one = suites().suites["one"].services["api"]
    assert assumed(one, said).memory_mb == 60 + 12 * 3
    by_name = {cost.layout: cost for cost in compared(PRICES, said)}
    # 12 processes of 63 MB, Postgres of 100 and Redis of 20: 876 MB; 12 * 0.002 + 0.003 vCPU.
    assert by_name["queues"].memory_mb == 876
    assert (by_name["queues"].memory_dollars, by_name["queues"].cpu_dollars) == (
        Decimal("8.76"),
        Decimal("0.54"),
    )
    assert by_name["queues"].source == "as said"
    assert by_name["appwrite-13"].memory_mb == 11 * 63 + 200 + 20, "of others it counts, too"


def test_one_process_is_cheapest_and_what_it_saves_is_the_difference() -> None:
    costs = compared(PRICES)
    assert [cost.services for cost in costs] == [3, 6, 14, 13, 7, 10], "with their databases"
    assert min(costs, key=lambda cost: cost.dollars).layout == "one"
    for cost in costs:
        assert cost.memory_dollars + cost.cpu_dollars == cost.dollars
        assert cost.saved == cost.dollars - costs[0].dollars


def test_layouts_are_those_of_railway_py() -> None:
    layouts = runpy.run_path(str(ROOT / "railway" / "railway.py"))["LAYOUTS"]
    for name, services in layouts.items():
        assert tuple(suites().suites[name].services) == services
    roles = {sum(each.roles for each in suites().suites[name].services.values()) for name in layouts}
    assert len(roles) == 1, "the same work in each"


def test_what_this_suite_holds_more_than_idle_is_work_in_each_layout() -> None:
    """89 MB idle, 189 held: 100 MB of work, which others would have as well."""
    own = measured({"api": Decimal(189)})
    assert own is not None and own.layout == "one" and own.work_mb == 100
    idle = {cost.layout: cost for cost in compared(PRICES)}
    for cost in compared(PRICES, own=own):
        assert cost.memory_mb == idle[cost.layout].memory_mb + 100
        assert cost.dollars == idle[cost.layout].dollars + 1
    assert compared(PRICES, own=own)[0].source == "own measurements"


def test_services_of_no_layout_say_nothing() -> None:
    assert measured({}) is None
    assert measured({"api": Decimal(80), "worker-webhooks": Decimal(70)}) is None
