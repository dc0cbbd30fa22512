"""`ogel cost now`"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ogel.cli.cost.showing import sources, summary
from ogel.cli.cost.source import cost, source_options
from ogel.cli.operator import json_option, say_json
from ogel.cli.tables import Column, Table, printable, show_fields
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.costs.service import Cost
    from ogel.features.costs.statement import Statement
    from ogel.runtime.prices.table import Resource


@click.command("now")
@source_options
@json_option
def command(
    project: str | None = None, prices_file: Path | None = None, last: bool = False, as_json: bool = False
) -> None:
    """What the project has cost in this billing period, by service and resource, and what it will at its end.

    In dollars, which add up to the cent.
    """
    found = cost(project, prices_file, last)
    if as_json:
        say_json(found)
    else:
        _show(found)


class _Row(NamedTuple):
    name: str
    resources: Mapping[Resource, Decimal]
    dollars: Decimal


def _show(found: Cost) -> None:
    reading, said = found.reading, found.statement
    click.echo(printable(f"{reading.name}, {reading.period.start:%Y-%m-%d} to {reading.period.end:%Y-%m-%d}"))
    click.echo()
    services = [
        _Row(each.name, {name: cell.dollars for name, cell in each.resources.items()}, each.dollars)
        for each in said.services
    ]
    total = [_Row("total", said.resources, said.spent)] if services else []
    _table(said).show([*services, *total])
    click.echo()
    show_fields([*summary(found), *sources(found)])


def _table(said: Statement) -> Table[_Row]:
    """Resources that cost nothing have no column."""

    def of(resource: Resource) -> Callable[[_Row], object]:
        return lambda row: f"{row.resources[resource]:,.2f}" if resource in row.resources else None

    return Table(
        "nothing was used",
        [
            Column("service", lambda row: row.name, gives=True),
            *(Column(each, of(each), right=True) for each, amount in said.resources.items() if amount),
            Column("so far", lambda row: dollars(row.dollars), right=True),
        ],
    )
