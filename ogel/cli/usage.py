"""`ogel usage`"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.tables import Column, show_table
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
        _show(usage.as_(Usage))


def _show(usage: Sequence[Usage]) -> None:
    columns = [
        "day",
        "requests",
        "errors",
        "in",
        "out",
        "events",
        "delivered",
        "failed",
        "jobs",
        "dead",
        "connections",
    ]
    by_day: dict[datetime, list[Usage]] = defaultdict(list)
    for each in usage:
        by_day[each.at].append(each)
    rows = []
    for day in sorted(by_day):
        of_day = by_day[day]
        rows.append(
            (
                day.astimezone(UTC).strftime("%Y-%m-%d"),
                _sum(of_day, "http.requests"),
                _sum(of_day, "http.requests", status="5xx"),
                _bytes(_sum(of_day, "http.received_bytes")),
                _bytes(_sum(of_day, "http.sent_bytes")),
                _sum(of_day, "events.published"),
                _sum(of_day, "deliveries.attempts", outcome="delivered"),
                _sum(of_day, "deliveries.attempts", outcome="failed"),
                _sum(of_day, "jobs.performed", outcome="done"),
                _sum(of_day, "jobs.performed", outcome="dead"),
                _sum(of_day, "realtime.connections"),
            )
        )
    show_table([Column(name, right=name != "day") for name in columns], rows, empty="nothing was counted")


def _sum(usage: Sequence[Usage], metric: str, **labels: str) -> int:
    return sum(
        each.value for each in usage if each.metric == metric and labels.items() <= each.labels.items()
    )


def _bytes(count: int) -> str:
    size = float(count)
    for unit in _BYTES:
        if size < 1024 or unit == _BYTES[-1]:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("there is a last unit")
