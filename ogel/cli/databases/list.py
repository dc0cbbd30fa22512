"""`ogel databases list`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import after_option, api, json_option, limit_option, say_list
from ogel.cli.tables import Column, Table
from ogel.cli.times import milliseconds, relative

if TYPE_CHECKING:
    from ogel.features.databases.registry.database import RegisteredDatabase

TABLE: Table[RegisteredDatabase] = Table(
    "no databases",
    [
        Column("name"),
        Column("type"),
        Column("state", lambda each: each.check.state),
        Column("latency", lambda each: milliseconds(each.check.latency_seconds), right=True),
        Column("version", lambda each: each.check.server_version),
        Column("checked", lambda each: relative(each.check.checked_at)),
        Column("address", lambda each: f"{each.host}:{each.port}/{each.database}", gives=True),
        Column("error", lambda each: each.check.error, gives=True),
    ],
)


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
    say_list(databases, as_json, RegisteredDatabase, TABLE.show)
