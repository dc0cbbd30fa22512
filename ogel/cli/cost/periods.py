"""`ogel cost periods`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, limit_option, say_list
from ogel.cli.tables import Column, Table
from ogel.cli.times import both
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.costs.store import PeriodCost

_TABLE: Table[PeriodCost] = Table(
    "no period has been read yet",
    [
        Column("from", lambda each: f"{each.start:%Y-%m-%d}"),
        Column("to", lambda each: f"{each.end:%Y-%m-%d}"),
        Column(
            "spent", lambda each: ("at least " if each.is_partial else "") + dollars(each.spent), right=True
        ),
        Column("until", lambda each: both(each.read_at)),
        Column("figures", lambda each: each.origin),
    ],
)


@click.command("periods")
@limit_option
@click.option("--after", metavar="CURSOR", help="Begin after this one.")
@json_option
def command(limit: int, after: str | None, as_json: bool) -> None:
    """What billing periods have cost, newest first, each as the suite has read it last."""
    from ogel.features.costs.store import PeriodCost

    with api() as ogel:
        listed = ogel.listed("/api/cost/periods", limit, cursor=after)
    say_list(listed, as_json, PeriodCost, _TABLE.show, position=None)
