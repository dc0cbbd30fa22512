"""`ogel webhooks test`"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from ogel.cli.deliveries import NO_FILTERS, show_attempt
from ogel.cli.operator import ask, identifier, json_option, operator, say_json
from ogel.cli.times import relative
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.features.webhooks.deliveries.delivery import DeliveryWithAttempts
    from ogel.features.webhooks.endpoints.testing import TestSent
    from ogel.operators import Services

# An attempt takes 30 s at most.
WAIT_SECONDS = 40.0
_LOOK_SECONDS = 0.2
# After that somebody who waits wants to know that this is waiting.
_QUIET_SECONDS = 3.0


class Obstacle(NamedTuple):
    """What keeps the test from being sent; `lasts`: until somebody does something about it."""

    what: str
    lasts: bool


@click.command("test")
@click.argument("id", type=identifier)
@click.option("--wait/--no-wait", default=True, help=f"For the first attempt, {WAIT_SECONDS:g} s at most.")
@json_option
def command(id: str, wait: bool, as_json: bool) -> None:
    """Send an endpoint a webhook.test event and say how it went; exit 1 when it did not arrive."""
    test = ask(lambda ogel: _send(ogel, id, wait, quiet=as_json))
    delivery = test.delivery
    first = delivery.log[0] if delivery and delivery.log else None
    if as_json:
        waits_for = [each.what for each in test.obstacles]
        say_json({"id": test.sent.id, "webhook": id, "delivery": delivery, "waits_for": waits_for})
    elif first is None or delivery is None:
        shown = f"ogel deliveries list --event {test.sent.id}"
        click.echo(f"{test.sent.id} published; `{shown}` says what becomes of it")
    else:
        click.echo(f"{test.sent.id} {first.outcome}, as {delivery.id}")
        show_attempt(first)
    sys.exit(1 if wait and (first is None or first.outcome != "delivered") else 0)


class _Test(NamedTuple):
    """`delivery`: once an attempt is recorded, or as it was at the end of the waiting."""

    sent: TestSent
    obstacles: Sequence[Obstacle]
    delivery: DeliveryWithAttempts | None


async def _send(ogel: Services, id: str, wait: bool, quiet: bool) -> _Test:
    """What stands in its way is said at once, and waited for only where that goes by itself."""
    sent = await ogel.webhooks.tests.send(operator(), id)
    obstacles = await _obstacles(ogel, id)
    for each in [] if quiet else obstacles:
        click.echo(f"the test waits: {each.what}", err=True)
    if not wait or any(each.lasts for each in obstacles):
        return _Test(sent, obstacles, None)
    return _Test(sent, obstacles, await _attempted(ogel, sent.id, quiet))


async def _obstacles(ogel: Services, id: str) -> list[Obstacle]:
    from ogel.features.webhooks.deliveries.job import QUEUE

    endpoint = await ogel.webhooks.endpoints.get(id)
    [queue] = [each for each in await ogel.job_service.queues() if each.name == QUEUE]
    obstacles = []
    if queue.paused_at is not None:
        obstacles.append(Obstacle(f"the queue is paused; `ogel queues resume {QUEUE}` lets it go on", True))
    if queue.workers is not None and not queue.workers:
        obstacles.append(
            Obstacle(f"no worker of the queue runs; start `ogel worker {QUEUE}` or `ogel up`", True)
        )
    if queue.level == "hard":
        obstacles.append(
            Obstacle(f"the queue is full: {queue.pending} jobs wait; `ogel queues` shows it", False)
        )
    if endpoint.health.state == "open":
        probe, error = endpoint.health.next_probe_at, endpoint.health.last_error or "it did not answer"
        soon = probe is not None and (probe - utc_now()).total_seconds() < WAIT_SECONDS
        obstacles.append(
            Obstacle(
                f"its breaker is open ({error}); it is probed {relative(probe)}, then the rest follows",
                not soon,
            )
        )
    return obstacles


async def _attempted(ogel: Services, event: str, quiet: bool) -> DeliveryWithAttempts:
    deliveries = ogel.webhooks.deliveries
    [delivery] = await deliveries.list({**NO_FILTERS, "event": event, "limit": 1})
    loop = asyncio.get_running_loop()
    began, said = loop.time(), quiet
    while True:
        known = await deliveries.get(delivery.id)
        seconds = loop.time() - began
        if known.attempts > 0 or known.status != "pending" or seconds > WAIT_SECONDS:
            return known
        if seconds > _QUIET_SECONDS and not said:
            said = True
            click.echo(f"no attempt yet; waiting {WAIT_SECONDS:g} s at most …", err=True)
        await asyncio.sleep(_LOOK_SECONDS)
