"""Where commands have their figures from: Railway, if there is a token here; else what the suite has last read."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ogel.cli.operator import api
from ogel.cli.process import settings_of_environment
from ogel.cli.railway_project import ask_railway, project_id_of, project_option
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.features.costs.reading import Reading
    from ogel.features.costs.service import Cost
    from ogel.features.costs.statement import Budget
    from ogel.runtime.prices.table import PriceTable
    from ogel.runtime.railway import Railway
    from ogel.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])

prices_option = click.option(
    "--prices",
    "prices_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Prices that differ from Railway's list. Also OGEL_COST_PRICES.",
)
_last_option = click.option(
    "--last", is_flag=True, help="What the suite has last read, though there is a token for Railway here."
)


def source_options(command: Command) -> Command:
    return project_option(prices_option(_last_option(command)))


def cost(project: str | None, prices_file: Path | None, last: bool, budget: Decimal | None = None) -> Cost:
    """`budget` None: that of the settings. Raises OgelError."""
    settings = settings_of_environment()
    has_token = settings.railway_token or settings.railway_api_token
    if last or not (has_token or project):
        return _of_suite(prices_file, budget)
    return _of_railway(settings, project, prices_file, budget)


def prices_of(settings: Settings, prices_file: Path | None) -> PriceTable:
    from ogel.features.costs.settings import CostsSettings
    from ogel.runtime.prices.table import price_table

    return price_table(prices_file or settings.of(CostsSettings).prices)


def _of_railway(
    settings: Settings, project: str | None, prices_file: Path | None, budget: Decimal | None
) -> Cost:
    from ogel.features.costs.from_railway import read
    from ogel.features.costs.service import Cost
    from ogel.features.costs.settings import CostsSettings
    from ogel.features.costs.statement import state
    from ogel.kernel.clock import utc_now

    prices = prices_of(settings, prices_file)

    async def question(railway: Railway, settings: Settings) -> Reading:
        return await read(railway, await project_id_of(railway, settings, project), utc_now())

    reading = ask_railway(question)
    said = settings.of(CostsSettings)
    return Cost(reading, state(reading, prices, _budget(settings, budget), said.plan), None)


def _of_suite(prices_file: Path | None, budget: Decimal | None) -> Cost:
    """Its prices and its budget, unless others are given here."""
    from ogel.features.costs.service import Cost
    from ogel.features.costs.statement import Budget, state
    from ogel.runtime.prices.table import price_table

    try:
        with api() as ogel:
            cost = ogel.request("GET", "/api/cost").as_(Cost)
    except ConfigError as error:
        token = "to ask Railway itself, set RAILWAY_TOKEN or RAILWAY_API_TOKEN"  # noqa: S105
        raise ConfigError(f"{error.message}; {token}") from None
    if prices_file is None and budget is None:
        return cost
    said = cost.statement
    held_against = None if said.budget is None else Budget(said.budget.dollars, said.budget.thresholds)
    if budget is not None:
        held_against = _budget(settings_of_environment(), budget)
    plan = None if said.plan is None else said.plan.name
    return Cost(cost.reading, state(cost.reading, price_table(prices_file), held_against, plan), cost.trouble)


def _budget(settings: Settings, dollars: Decimal | None) -> Budget | None:
    from ogel.features.costs.settings import CostsSettings
    from ogel.features.costs.statement import Budget

    said = settings.of(CostsSettings)
    if dollars is None and said.budget is not None:
        dollars = Decimal(str(said.budget))
    return None if dollars is None else Budget(dollars, said.thresholds)
