"""`ogel webhooks resume`"""

from __future__ import annotations

import click

from ogel.cli.operator import identifier, json_option
from ogel.cli.webhooks.pause import change_state


@click.command("resume")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """Enable an endpoint that is paused or was disabled; what waits is delivered."""
    change_state(id, "enabled", as_json)
