"""`ogel webhooks pause`, and what it shares with `resume`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from ogel.cli.operator import ask, identifier, json_option, operator, say_json
from ogel.cli.webhooks_show import MOST_WAITING, how_many

if TYPE_CHECKING:
    from ogel.features.webhooks.endpoints.endpoint import Endpoint
    from ogel.operators import Services


@click.command("pause")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """Send nothing more until it is resumed; deliveries wait, and new events are added to them."""
    change_state(id, "paused", as_json)


def change_state(id: str, state: Literal["enabled", "paused"], as_json: bool) -> None:
    endpoint, waiting = ask(lambda ogel: _change(ogel, id, state))
    if as_json:
        say_json(endpoint)
    else:
        click.echo(f"{id} {endpoint.state}, deliveries: {how_many(waiting)}")


async def _change(ogel: Services, id: str, state: Literal["enabled", "paused"]) -> tuple[Endpoint, int]:
    from ogel.features.webhooks.endpoints.endpoint import EndpointChange

    endpoint = await ogel.webhooks.endpoints.change(operator(), id, EndpointChange(state=state))
    return endpoint, await ogel.webhooks.deliveries.waiting(id, MOST_WAITING)
