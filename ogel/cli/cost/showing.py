"""What a project costs, as fields on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.cli.times import both
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.costs.reading import Workspace
    from ogel.features.costs.service import Cost
    from ogel.features.costs.statement import BudgetState, Statement


def at_least(statement: Statement) -> str:
    """What goes before amounts that lack something."""
    return "at least " if statement.is_partial else ""


def summary(cost: Cost) -> list[tuple[str, object]]:
    """Fields for `show_fields`."""
    said, least = cost.statement, at_least(cost.statement)
    fields: list[tuple[str, object]] = [("so far", least + dollars(said.spent))]
    if said.a_month is not None:
        fields.append(("at this rate", f"{least}{dollars(said.a_month)} a month of 30 days"))
    fields.append(("by the end", _forecast(said)))
    if said.estimated is not None:
        fields.append(("Railway expects", f"{dollars(said.estimated)}, without buckets"))
    if said.plan is not None:
        plan = said.plan
        fields.append(
            ("plan", f"{plan.name}: {dollars(plan.to_pay)} to pay, its fee of {dollars(plan.fee)} included")
        )
    if said.workspace is not None:
        fields.append(("workspace", _workspace(said.workspace)))
    if said.budget is not None:
        fields.append(("budget", _budget(said.budget)))
    return fields


def sources(cost: Cost) -> list[tuple[str, object]]:
    """Where the figures are from, and what is wrong with them."""
    reading = cost.reading
    fields: list[tuple[str, object]] = [
        ("figures", f"{reading.origin}, {both(reading.read_at)}"),
        ("prices", cost.statement.prices),
    ]
    if cost.trouble is not None:
        fields.append(("not since", f"{both(cost.trouble.at)}: {cost.trouble.message}"))
    fields += [("missing", each) for each in reading.missing]
    fields += [("note", each) for each in reading.notes]
    return fields


def _forecast(said: Statement) -> str:
    expected = said.forecast
    if expected is None:
        return "not known before a whole day"
    days = "1 day" if expected.days == 1 else f"{expected.days} days"
    if expected.error is None:
        return f"{at_least(said)}{dollars(expected.dollars)}, from {days}: too few to say how sure that is"
    return f"{at_least(said)}{dollars(expected.dollars)} ± {expected.error:,.2f} (8 in 10), from {days}"


def _workspace(workspace: Workspace) -> str:
    spent = f"{dollars(workspace.current_usage)} so far, all projects together"
    if workspace.hard_limit is None:
        return spent
    return f"{spent}; everything is offline at {dollars(workspace.hard_limit)}"


def _budget(budget: BudgetState) -> str:
    expected = "" if budget.forecast_percent is None else f", {budget.forecast_percent} % by the end"
    return f"{dollars(budget.dollars)}: {budget.spent_percent} % spent{expected}"
