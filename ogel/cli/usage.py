"""`ogel usage`"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.tables import Column, Table
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.features.observability.usage.store import Usage

# Metrics times labels of one day are some dozens.
_MOST_ROWS_A_DAY = 1000
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@click.command("usage")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="So many, today included."
)
@json_option
def command(days: int, as_json: bool) -> None:
    """Requests, bytes, events, deliveries and jobs, day by day, in UTC. The last minutes are not counted yet."""
    from ogel.features.observability.usage.store import Usage

    today = utc_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = {
        "bucket": "day",
        "from": today - timedelta(days=days - 1),
        "to": today + timedelta(days=1),
        "by": ("status", "outcome", "queue"),
    }
    with api() as ogel:
        usage = ogel.listed("/api/usage", days * _MOST_ROWS_A_DAY, query=query)
    if as_json:
        say_json({"items": usage.items, "next": None})
    else:
        _TABLE.show(_by_day(usage.as_(Usage)))


class _Day(NamedTuple):
    """The usage of one day."""

    at: datetime
    usage: Sequence[Usage]

    def sum(self, metric: str, **labels: str) -> int:
        return sum(
            each.value
            for each in self.usage
            if each.metric == metric and labels.items() <= each.labels.items()
        )


_TABLE: Table[_Day] = Table(
    "nothing was counted",
    [
        Column("day", lambda day: day.at.astimezone(UTC).strftime("%Y-%m-%d")),
        Column("requests", lambda day: day.sum("http.requests"), right=True),
        Column("errors", lambda day: day.sum("http.requests", status="5xx"), right=True),
        Column("in", lambda day: _bytes(day.sum("http.received_bytes")), right=True),
        Column("out", lambda day: _bytes(day.sum("http.sent_bytes")), right=True),
        Column("events", lambda day: day.sum("events.published"), right=True),
        Column("delivered", lambda day: day.sum("deliveries.attempts", outcome="delivered"), right=True),
        Column("failed", lambda day: day.sum("deliveries.attempts", outcome="failed"), right=True),
        Column("jobs", lambda day: day.sum("jobs.performed", outcome="done"), right=True),
        Column("dead", lambda day: day.sum("jobs.performed", outcome="dead"), right=True),
        Column("connections", lambda day: day.sum("realtime.connections"), right=True),
    ],
)


def _by_day(usage: Sequence[Usage]) -> list[_Day]:
    by_day: dict[datetime, list[Usage]] = defaultdict(list)
    for each in usage:
        by_day[each.at].append(each)
    return [_Day(at, by_day[at]) for at in sorted(by_day)]


def _bytes(count: int) -> str:
    size = float(count)
    for unit in _BYTES:
        if size < 1024 or unit == _BYTES[-1]:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("there is a last unit")
