"""`ogel routes`: who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import json_option, say_json
from ogel.cli.tables import Column, Table

if TYPE_CHECKING:
    from ogel.runtime.http.access_table import AccessRow

_TABLE: Table[AccessRow] = Table(
    "no routes",
    [
        Column("method"),
        Column("path"),
        Column("who"),
        Column("scope or role", lambda row: " or ".join(filter(None, (row.scope, row.role))) or None),
        Column("rate"),
        Column("body", lambda row: _body(row), right=True),
        Column("audited as", lambda row: ", ".join(row.audit) or None, gives=True),
    ],
)


@click.command("routes")
@json_option
def command(as_json: bool) -> None:
    """Every route and stream: who may use it, how often and with how much."""
    import dataclasses
    import os

    from ogel.environ import read_what_can_be_read
    from ogel.platform.platform import Platform
    from ogel.runtime.http.access_table import access_table
    from ogel.runtime.http.app import with_shell
    from ogel.settings import NOWHERE

    # Those of upstreams are settings.
    sections = read_what_can_be_read(os.environ).settings.sections
    platform = Platform(dataclasses.replace(NOWHERE, sections=sections))
    routes, streams = platform.routes(everything=True), platform.streams()
    table = access_table(with_shell(routes, streams), streams, platform.dialects())
    say_json({"items": table}) if as_json else _TABLE.show(table)


def _body(row: AccessRow) -> str | None:
    if not row.body:
        return None
    return "the most" if row.max_body_bytes is None else f"{row.max_body_bytes // 1024:,} KiB"
