"""`ogel webhooks test`"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from ogel.cli.deliveries import show_attempt
from ogel.cli.operator import api, identifier, json_option, say_json
from ogel.cli.times import relative
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Forbidden

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client
    from ogel.features.jobs.job import QueueInfo
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth

_QUEUE = "webhooks"
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
    from ogel.features.webhooks.deliveries.delivery import DeliveryWithAttempts
    from ogel.features.webhooks.endpoints.testing import TestSent

    with api() as ogel:
        event = ogel.request("POST", f"/api/webhooks/{id}/test").as_(TestSent).id
        obstacles = list(_obstacles(ogel, id))
        for each in [] if as_json else obstacles:
            click.echo(f"the test waits: {each.what}", err=True)
        # What stands in its way is waited for only where that goes by itself.
        waits = wait and not any(each.lasts for each in obstacles)
        answer = _attempted(ogel, event, quiet=as_json) if waits else None
    delivery = None if answer is None else answer.as_(DeliveryWithAttempts)
    first = delivery.log[0] if delivery and delivery.log else None
    if as_json:
        waits_for = [each.what for each in obstacles]
        say_json({"id": event, "webhook": id, "delivery": delivery, "waits_for": waits_for})
    elif first is None or delivery is None:
        click.echo(f"{event} published; `ogel deliveries list --event {event}` says what becomes of it")
    else:
        click.echo(f"{event} {first.outcome}, as {delivery.id}")
        show_attempt(first)
    sys.exit(1 if wait and (first is None or first.outcome != "delivered") else 0)


def _obstacles(ogel: Client, id: str) -> Iterator[Obstacle]:
    from ogel.features.jobs.job import QueueInfo
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth

    try:
        queues = ogel.whole("/api/queues").as_(QueueInfo)
    except Forbidden:  # a key for webhooks alone
        queues = []
    for queue in queues:
        if queue.name == _QUEUE:
            yield from _of_queue(queue)
    yield from _of_endpoint(ogel.request("GET", f"/api/webhooks/{id}").as_(EndpointWithHealth))


def _of_queue(queue: QueueInfo) -> Iterator[Obstacle]:
    if queue.paused_at is not None:
        yield Obstacle(f"the queue is paused; `ogel queues resume {_QUEUE}` lets it go on", True)
    if queue.workers is not None and not queue.workers:
        yield Obstacle(f"no worker of the queue runs; start `ogel worker {_QUEUE}` or `ogel up`", True)
    if queue.level == "hard":
        yield Obstacle(f"the queue is full: {queue.pending} jobs wait; `ogel queues` shows it", False)


def _of_endpoint(endpoint: EndpointWithHealth) -> Iterator[Obstacle]:
    if endpoint.health.state != "open":
        return
    probe, error = endpoint.health.next_probe_at, endpoint.health.last_error or "it did not answer"
    soon = probe is not None and (probe - utc_now()).total_seconds() < WAIT_SECONDS
    what = f"its breaker is open ({error}); it is probed {relative(probe)}, then the rest follows"
    yield Obstacle(what, not soon)


def _attempted(ogel: Client, event: str, quiet: bool) -> Answer:
    """Its delivery once an attempt is recorded, or as it was at the end of the waiting."""
    from ogel.features.webhooks.deliveries.delivery import Delivery

    [delivery] = ogel.listed("/api/deliveries", 1, query={"event": event}).as_(Delivery)
    began, said = time.monotonic(), quiet
    while True:
        answer = ogel.request("GET", f"/api/deliveries/{delivery.id}")
        known, seconds = answer.as_(Delivery), time.monotonic() - began
        if known.attempts > 0 or known.status != "pending" or seconds > WAIT_SECONDS:
            return answer
        if seconds > _QUIET_SECONDS and not said:
            said = True
            click.echo(f"no attempt yet; waiting {WAIT_SECONDS:g} s at most …", err=True)
        time.sleep(_LOOK_SECONDS)
