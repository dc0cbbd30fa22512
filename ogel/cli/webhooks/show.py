"""`ogel webhooks show`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.deliveries import TABLE as DELIVERIES
from ogel.cli.operator import api, identifier, json_option, say_json
from ogel.cli.tables import Column, Table, heading, show_fields
from ogel.cli.times import both, length, relative
from ogel.cli.webhooks.list import health, state
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.webhooks.deliveries.delivery import Waiting
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth
    from ogel.features.webhooks.secrets.service import SigningSecret

LAST_DELIVERIES = 10
_SECRETS: Table[SigningSecret] = Table(
    "none",
    [
        Column("id"),
        Column("signing"),
        Column("secret", lambda each: each.hint or "cannot be read with this OGEL_SECRET"),
        Column("age", lambda each: length((utc_now() - each.created_at).total_seconds())),
        Column("ends", lambda each: relative(each.expires_at) if each.expires_at else "when it is replaced"),
    ],
)


@click.command("show")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """One endpoint: its settings, health, secrets (never shown), what waits, and its last deliveries."""
    with api() as ogel:
        show_webhook(ogel, id, as_json)


def show_webhook(ogel: Client, id: str, as_json: bool) -> None:
    import msgspec

    from ogel.features.webhooks.deliveries.delivery import Delivery, Waiting
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth
    from ogel.features.webhooks.secrets.service import SigningSecret

    answer = ogel.request("GET", f"/api/webhooks/{id}")
    waiting = ogel.request("GET", f"/api/webhooks/{id}/waiting").as_(Waiting)
    secrets = ogel.whole(f"/api/webhooks/{id}/secrets")
    deliveries = ogel.listed("/api/deliveries", LAST_DELIVERIES, query={"webhook": id})
    if as_json:
        others = {"waiting": waiting.deliveries, "secrets": secrets.items, "deliveries": deliveries.items}
        say_json({**answer.as_(dict[str, msgspec.Raw]), **others})
        return
    endpoint = answer.as_(EndpointWithHealth)
    show_fields(_settings(endpoint))
    heading("Health")
    show_fields(_health(endpoint, waiting))
    heading("Secrets, newest first")
    _SECRETS.show(secrets.as_(SigningSecret))
    heading("Last deliveries")
    DELIVERIES.show(deliveries.as_(Delivery))


def _settings(endpoint: EndpointWithHealth) -> list[tuple[str, object]]:
    import msgspec

    rate = endpoint.rate_limit
    headers = [f"{name}: {hint}" for name, hint in endpoint.headers.items()]
    return [
        ("id", endpoint.id),
        ("url", endpoint.url),
        ("description", endpoint.description or None),
        ("state", state(endpoint)),
        ("events", " ".join(endpoint.events) or "none (tests only)"),
        ("filter", endpoint.filter and msgspec.json.encode(endpoint.filter).decode()),
        ("payload", endpoint.payload),
        ("ordered by", endpoint.ordered_by),
        ("rate limit", rate and f"{rate.per_second:g} per second, burst {rate.burst_or_default}"),
        ("in flight", f"{endpoint.max_in_flight} at most, per worker process"),
        ("timeout", f"{endpoint.timeout_seconds:g} s"),
        ("headers", ", ".join(headers) or None),
        ("compatibility", endpoint.compatibility),
        ("created", both(endpoint.created_at)),
        ("changed", both(endpoint.updated_at)),
    ]


def _health(endpoint: EndpointWithHealth, waiting: Waiting) -> list[tuple[str, object]]:
    now = endpoint.health
    return [
        ("breaker", now.state),
        ("state", health(now)),
        ("failing since", now.failing_since and both(now.failing_since)),
        ("failures", f"{now.failures_in_row} in a row" if now.failing_since else None),
        ("last error", now.last_error),
        ("next probe", now.next_probe_at and both(now.next_probe_at)),
        ("deliveries", how_many(waiting)),
    ]


def how_many(waiting: Waiting) -> str:
    return f"{waiting.deliveries}{' or more' if waiting.more else ''} waiting or under way"
