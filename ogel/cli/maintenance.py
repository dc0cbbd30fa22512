"""`ogel maintenance`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say_one
from ogel.cli.tables import show_fields
from ogel.cli.times import both

if TYPE_CHECKING:
    from ogel.features.gateway.maintenance.service import MaintenanceInfo

_PATH = "/api/maintenance"


@click.group("maintenance", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Whether the API answers 503 to all but operators; begin that, and end it."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json goes before no other command")
        return
    from ogel.features.gateway.maintenance.service import MaintenanceInfo

    with api() as ogel:
        say_one(ogel.request("GET", _PATH), as_json, MaintenanceInfo, _show)


@command.command("on")
@click.option("--message", help="What callers are told.")
@click.option("--retry-after", type=click.IntRange(1, 86_400), metavar="SECONDS", help="When to ask again.")
def on(message: str | None, retry_after: int | None) -> None:
    """Answer 503 to all but health checks and whoever has the scope gateway:write."""
    body = {"message": message, "retry_after_seconds": retry_after}
    with api() as ogel:
        ogel.request("PUT", _PATH, body={name: value for name, value in body.items() if value is not None})
    click.echo("maintenance on: every process obeys within a second")


@command.command("off")
def off() -> None:
    """Answer everybody again."""
    with api() as ogel:
        ogel.request("DELETE", _PATH)
    click.echo("maintenance off")


def _show(info: MaintenanceInfo) -> None:
    show_fields(
        [
            ("maintenance", "on" if info.on else "off"),
            ("by", "OGEL_MAINTENANCE" if info.by_setting else info.switched_by),
            ("since", info.since and both(info.since)),
            ("callers are told", info.message),
            ("to try again after", info.retry_after_seconds and f"{info.retry_after_seconds} s"),
        ]
    )
