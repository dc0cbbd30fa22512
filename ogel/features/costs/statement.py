"""What is said of a reading: its bill, the rate, the forecast, the budget; all of it at the prices of one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from ogel.features.costs.bill import bill, to_pay
from ogel.features.costs.money import cents
from ogel.features.costs.reading import Reading, Workspace
from ogel.runtime.prices.table import PriceTable, Resource


class Cell(Struct, frozen=True):
    """`quantity`: GB-minutes, vCPU-minutes, or of egress GB."""

    quantity: Decimal
    dollars: Decimal
    origin: str


class ServiceCost(Struct, frozen=True):
    name: str
    dollars: Decimal
    resources: Mapping[Resource, Cell]


class Expected(Struct, frozen=True):
    """
    dollars  of the whole period.
    error    in eight of ten periods it is off by no more; null: there are too few days to tell.
    days     whole days that it is made of.
    """

    dollars: Decimal
    error: Decimal | None
    days: int


class Budget(Struct, frozen=True):
    """Of a period. `thresholds`: parts of it, in percent."""

    dollars: Decimal
    thresholds: Sequence[int]


class BudgetState(Struct, frozen=True):
    """
    passed         the thresholds that what was spent is over.
    is_over        more was spent than the budget.
    will_be_over   the forecast is more than the budget.
    """

    dollars: Decimal
    thresholds: Sequence[int]
    spent_percent: Decimal
    forecast_percent: Decimal | None
    passed: Sequence[int]
    is_over: bool
    will_be_over: bool


class PlanState(Struct, frozen=True):
    """`to_pay`: of this project alone; what usage is included is so for all projects of a workspace together."""

    name: str
    fee: Decimal
    included: Decimal
    to_pay: Decimal


class Statement(Struct, frozen=True):
    """
    Dollars are cents that add up: resources to services, services to `spent`, which is what the period has cost so far.

    is_partial  something is missing: all of it is the least that it can be.
    a_month     of Railway's (43,200 minutes), if it goes on as in the last 24 hours.
    estimated   what Railway expects of the period.
    """

    prices: str
    spent: Decimal
    is_partial: bool
    a_month: Decimal | None
    forecast: Expected | None
    estimated: Decimal | None
    services: Sequence[ServiceCost]
    resources: Mapping[Resource, Decimal]
    budget: BudgetState | None
    plan: PlanState | None
    workspace: Workspace | None


def state(
    reading: Reading, prices: PriceTable, budget: Budget | None = None, plan: str | None = None
) -> Statement:
    billed = bill(reading.used, prices)
    rate, forecast = reading.a_month(prices), reading.forecast(prices)
    expected = None
    if forecast is not None:
        error = None if forecast.error is None else cents(forecast.error)
        expected = Expected(cents(forecast.total), error, forecast.days)
    by_service: dict[str, dict[Resource, Cell]] = {name: {} for name in billed.services}
    for line in billed.lines:
        by_service[line.service][line.resource] = Cell(line.quantity, line.dollars, line.origin)
    services = [ServiceCost(name, billed.services[name], cells) for name, cells in by_service.items()]
    estimated = None
    if reading.estimated is not None:
        estimated = cents(sum((prices.of(*each) for each in reading.estimated.items()), Decimal(0)))
    return Statement(
        prices.name,
        billed.total,
        bool(reading.missing),
        None if rate is None else cents(rate),
        expected,
        estimated,
        services,
        billed.resources,
        None if budget is None else _held_against(budget, billed.total, expected),
        None if plan is None else _of_plan(plan, billed.total, prices),
        reading.workspace,
    )


def _held_against(budget: Budget, spent: Decimal, expected: Expected | None) -> BudgetState:
    percent = _percent(spent, budget)
    return BudgetState(
        budget.dollars,
        budget.thresholds,
        percent,
        None if expected is None else _percent(expected.dollars, budget),
        [each for each in budget.thresholds if spent * 100 > each * budget.dollars],
        spent > budget.dollars,
        expected is not None and expected.dollars > budget.dollars,
    )


def _percent(dollars: Decimal, budget: Budget) -> Decimal:
    return (100 * dollars / budget.dollars).quantize(Decimal("0.1"))


def _of_plan(name: str, spent: Decimal, prices: PriceTable) -> PlanState:
    plan = prices.plans[name]
    return PlanState(name, plan.fee, plan.included, to_pay(spent, plan))
