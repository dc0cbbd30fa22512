"""`ogel webhooks tail`"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import click
import msgspec

from ogel.cli.client import decoded
from ogel.cli.operator import api, identifier, say_json
from ogel.cli.tables import show_parts
from ogel.cli.times import absolute, milliseconds, moment
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.webhooks.deliveries.delivery import Outcome
    from ogel.features.webhooks.deliveries.tail import RecordedAttempt

LOOK_SECONDS = 1.0
PAGE = 100


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

    with api() as ogel:
        if webhook is not None:
            ogel.request("GET", f"/api/webhooks/{webhook}")
        filters = {"webhook": webhook, "outcome": outcomes}
        _follow(Followed(ogel, since or utc_now(), filters), as_json)


class Followed:
    """Attempts, each once. Those whose transaction ended late stand before others that were told already."""

    def __init__(self, ogel: Client, since: datetime, filters: Mapping[str, object]) -> None:
        self._ogel = ogel
        self._since = since
        self._filters = filters
        self._told: set[tuple[datetime, str, int]] = set()

    def look(self) -> Iterator[tuple[RecordedAttempt, msgspec.Raw]]:
        """What is new since the last look, and as it was answered. One that broke off is begun again by the next."""
        from ogel.features.webhooks.deliveries.tail import RecordedAttempt

        settled, after = self._since, None
        while True:
            query = {**self._filters, "since": self._since, "limit": PAGE, "after": after}
            page = self._ogel.request("GET", "/api/attempts", query).as_(_Page)
            if after is None:
                settled = max(settled, page.settled_at)
            for item in page.items:
                attempt = decoded(item, RecordedAttempt)
                place = (attempt.recorded_at, attempt.delivery, attempt.number)
                if place not in self._told:
                    self._told.add(place)
                    yield attempt, item
            after = page.next
            if after is None:
                break
        self._since = settled
        self._told = {told for told in self._told if told[0] >= settled}


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next: str | None
    settled_at: datetime


def _follow(followed: Followed, as_json: bool) -> None:
    away = False
    while True:
        try:
            for attempt, item in followed.look():
                say_json(item) if as_json else show_parts(_parts(attempt))
            away = False
        except Unavailable as error:
            if not away:
                click.echo(f"ogel: {error.message} Looking again every {LOOK_SECONDS:g} s.", err=True)
            away = True
        time.sleep(LOOK_SECONDS)


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
