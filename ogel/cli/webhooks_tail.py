"""`ogel webhooks tail`"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask, identifier, say_json
from ogel.cli.tables import show_parts
from ogel.cli.times import absolute, milliseconds, moment
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.features.webhooks.deliveries.delivery import Outcome
    from ogel.features.webhooks.deliveries.tail import RecordedAttempt, Tail
    from ogel.operators import Services

LOOK_SECONDS = 1.0


@click.command("tail")
@click.option("--webhook", type=identifier, metavar="ID", help="Of this endpoint only.")
@click.option(
    "--status",
    "outcomes",
    type=click.Choice(["delivered", "failed", "unknown"]),
    multiple=True,
    help="That ended so; may be repeated.",
)
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="Begin with those recorded then: RFC 3339, or an age; now without it.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines: one document to a line.")
def command(
    webhook: str | None, outcomes: tuple[Outcome, ...], since: datetime | None, as_json: bool
) -> None:
    """Follow attempts as they are recorded, until Ctrl-C."""

    async def follow(ogel: Services) -> None:
        if webhook is not None:
            await ogel.webhooks.endpoints.get(webhook)
        tail = ogel.webhooks.deliveries.tail(since or utc_now(), webhook, outcomes)
        await _follow(tail, as_json)

    ask(follow)


async def _follow(tail: Tail, as_json: bool) -> None:
    from ogel.runtime.database.database import DatabaseAway

    away = False
    while True:
        try:
            async for page in tail.look():
                _show(page, as_json)
            away = False
        except DatabaseAway as error:
            if not away:
                click.echo(f"ogel: {error.message} Looking again every {LOOK_SECONDS:g} s.", err=True)
            away = True
        await asyncio.sleep(LOOK_SECONDS)


def _show(page: Sequence[RecordedAttempt], as_json: bool) -> None:
    for attempt in page:
        if as_json:
            say_json(attempt)
        else:
            show_parts(_parts(attempt))


def _parts(attempt: RecordedAttempt) -> list[str]:
    """What came of it first, for a narrow terminal goes on below."""
    failed = attempt.outcome != "delivered"
    return [
        f"{attempt.outcome:<9}",
        absolute(attempt.started_at),
        str(attempt.response_status or (attempt.reason if failed else None) or "-"),
        f"#{attempt.number}",
        f"{milliseconds(attempt.duration_seconds):>7}",
        attempt.event_type,
        attempt.delivery,
        attempt.webhook,
        f"{attempt.reason or '-'}: {attempt.detail or '-'}, now {attempt.delivery_status}" if failed else "",
    ]
