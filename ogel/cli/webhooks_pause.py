"""`ogel webhooks pause`, and what it shares with `resume`"""

from __future__ import annotations

from typing import Literal

import click

from ogel.cli.operator import api, identifier, json_option, say
from ogel.cli.webhooks_show import how_many


@click.command("pause")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """Send nothing more until it is resumed; deliveries wait, and new events are added to them."""
    change_state(id, "paused", as_json)


def change_state(id: str, state: Literal["enabled", "paused"], as_json: bool) -> None:
    from ogel.features.webhooks.deliveries.routes import Waiting

    with api() as ogel:
        answer = ogel.request("PATCH", f"/api/webhooks/{id}", body={"state": state})
        waiting = ogel.request("GET", f"/api/webhooks/{id}/waiting").as_(Waiting)
    if as_json:
        say(answer)
    else:
        click.echo(f"{id} {state}, deliveries: {how_many(waiting)}")
