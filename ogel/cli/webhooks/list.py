"""`ogel webhooks list`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import after_option, api, json_option, limit_option, say_list
from ogel.cli.tables import Column, Table
from ogel.cli.times import length, relative
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.features.webhooks.endpoints.endpoint import Endpoint, EndpointWithHealth
    from ogel.features.webhooks.health.health import EndpointHealth

_TABLE: Table[EndpointWithHealth] = Table(
    "no endpoints",
    [
        Column("id"),
        Column("state", lambda each: state(each)),
        Column("health", lambda each: health(each.health)),
        Column("events", lambda each: " ".join(each.events) or "-", gives=True),
        Column("url", gives=True),
        Column("created", lambda each: relative(each.created_at)),
    ],
)


@click.command("list")
@limit_option
@after_option
@json_option
def command(limit: int, after: str | None, as_json: bool) -> None:
    """All endpoints and how they are, newest first."""
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth

    with api() as ogel:
        endpoints = ogel.listed("/api/webhooks", limit, after)
    say_list(endpoints, as_json, EndpointWithHealth, _TABLE.show)


def state(endpoint: Endpoint) -> str:
    return (
        f"{endpoint.state} ({endpoint.disabled_reason})" if endpoint.disabled_reason else str(endpoint.state)
    )


def health(health: EndpointHealth) -> str:
    if health.state == "open":
        return f"open, probe {relative(health.next_probe_at)}"
    if health.state == "half_open":
        return "half_open"
    if health.failing_since is not None:
        return f"failing for {length((utc_now() - health.failing_since).total_seconds())}"
    return "ok"
