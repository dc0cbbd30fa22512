"""`ogel webhooks test`"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from ogel.cli.deliveries import NO_FILTERS, show_attempt
from ogel.cli.operator import ask, identifier, json_option, operator, say_json

if TYPE_CHECKING:
    from ogel.features.webhooks.deliveries.delivery import DeliveryWithAttempts
    from ogel.features.webhooks.endpoints.testing import TestSent
    from ogel.platform import Platform

# An attempt takes 30 s at most.
WAIT_SECONDS = 40.0
_LOOK_SECONDS = 0.2


@click.command("test")
@click.argument("id", type=identifier)
@click.option("--wait/--no-wait", default=True, help=f"For the first attempt, {WAIT_SECONDS:g} s at most.")
@json_option
def command(id: str, wait: bool, as_json: bool) -> None:
    """Send an endpoint a webhook.test event and say how it went; exit 1 when it did not arrive."""
    sent, delivery = ask(lambda ogel: _send(ogel, id, WAIT_SECONDS if wait else 0.0))
    first = delivery.log[0] if delivery and delivery.log else None
    if as_json:
        say_json({"id": sent.id, "webhook": id, "delivery": delivery})
    elif first is None or delivery is None:
        click.echo(f"{sent.id} published; `ogel deliveries list --event {sent.id}` says what becomes of it")
    else:
        click.echo(f"{sent.id} {first.outcome}, as {delivery.id}")
        show_attempt(first)
    sys.exit(1 if wait and (first is None or first.outcome != "delivered") else 0)


async def _send(ogel: Platform, id: str, seconds: float) -> tuple[TestSent, DeliveryWithAttempts | None]:
    """Its delivery once an attempt is recorded; None when that was not waited for."""
    sent = await ogel.webhooks.tests.send(operator(), id)
    if not seconds:
        return sent, None
    deliveries = ogel.webhooks.deliveries
    [delivery] = await deliveries.list({**NO_FILTERS, "event": sent.id, "limit": 1})
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        known = await deliveries.get(delivery.id)
        recorded = known.attempts > 0 or known.status != "pending"
        if recorded or asyncio.get_running_loop().time() > deadline:
            return sent, known
        await asyncio.sleep(_LOOK_SECONDS)
