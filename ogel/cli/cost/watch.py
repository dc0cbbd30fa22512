"""`ogel cost watch`"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.cost.given import budget as budget_of
from ogel.cli.cost.showing import at_least, sources, summary
from ogel.cli.cost.source import cost, source_options
from ogel.cli.operator import json_option, say_json
from ogel.cli.tables import printable, show_fields
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.costs.service import Cost
    from ogel.features.costs.statement import BudgetState


@click.command("watch")
@click.option(
    "--budget", type=budget_of, metavar="DOLLARS", help="Of a billing period, instead of OGEL_COST_BUDGET."
)
@source_options
@json_option
def command(
    budget: Decimal | None, project: str | None, prices_file: Path | None, last: bool, as_json: bool
) -> None:
    """Whether the project costs more than its budget, or will have by the end of the period: then exit 1."""
    found = cost(project, prices_file, last, budget)
    held = found.statement.budget
    if held is None:
        raise click.UsageError("there is no budget: say --budget DOLLARS, or set OGEL_COST_BUDGET")
    if as_json:
        say_json(found)
    else:
        click.echo(printable(f"{found.reading.name}: {_verdict(found, held)}"))
        show_fields([*summary(found), *sources(found)])
    sys.exit(1 if held.is_over or held.will_be_over else 0)


def _verdict(found: Cost, held: BudgetState) -> str:
    least = at_least(found.statement)
    if held.is_over:
        over = found.statement.spent - held.dollars
        return f"over its budget of {dollars(held.dollars)}, by {least}{dollars(over)}"
    passed = f"; more than {max(held.passed)} % of it is spent" if held.passed else ""
    if held.will_be_over:
        return f"will be over its budget of {dollars(held.dollars)}{passed}"
    return f"within its budget of {dollars(held.dollars)}{passed}"
