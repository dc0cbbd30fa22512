"""`ogel databases list`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import after_option, api, json_option, limit_option, say_list
from ogel.cli.tables import Column, show_table
from ogel.cli.times import milliseconds, relative

if TYPE_CHECKING:
    from ogel.features.databases.registry.database import RegisteredDatabase

_COLUMNS = [
    Column("name"),
    Column("type"),
    Column("state"),
    Column("latency", right=True),
    Column("version"),
    Column("checked"),
    Column("address", gives=True),
    Column("error", gives=True),
]


@click.command("list")
@click.option("--type", type=click.Choice(["postgresql", "mongodb", "redis"]), help="Of this type.")
@click.option("--state", type=click.Choice(["unknown", "reachable", "unreachable"]), help="That are so.")
@limit_option
@after_option
@json_option
def command(type: str | None, state: str | None, limit: int, after: str | None, as_json: bool) -> None:
    """Registered databases and how they are, newest first."""
    from ogel.features.databases.registry.database import RegisteredDatabase

    with api() as ogel:
        databases = ogel.listed("/api/databases", limit, after, {"type": type, "state": state})
    say_list(databases, as_json, RegisteredDatabase, show_databases)


def show_databases(databases: Sequence[RegisteredDatabase]) -> None:
    rows = [
        (
            each.name,
            each.type,
            each.check.state,
            milliseconds(each.check.latency_seconds),
            each.check.server_version,
            relative(each.check.checked_at),
            f"{each.host}:{each.port}/{each.database}",
            each.check.error,
        )
        for each in databases
    ]
    show_table(_COLUMNS, rows, empty="no databases")
