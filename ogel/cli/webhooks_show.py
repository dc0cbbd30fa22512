"""`ogel webhooks show`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ogel.cli.deliveries import NO_FILTERS, show_deliveries
from ogel.cli.operator import ask, identifier, json_option, say_json
from ogel.cli.tables import Column, heading, show_fields, show_table
from ogel.cli.times import both, length, relative
from ogel.cli.webhooks_list import health, state
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.features.webhooks.deliveries.delivery import Delivery
    from ogel.features.webhooks.endpoints.endpoint import EndpointWithHealth
    from ogel.features.webhooks.secrets.service import SigningSecret
    from ogel.operators import Services

MOST_WAITING = 10_000
LAST_DELIVERIES = 10
_SECRETS = [Column("id"), Column("signing"), Column("secret"), Column("age"), Column("ends")]


class _Known(NamedTuple):
    endpoint: EndpointWithHealth
    waiting: int
    secrets: Sequence[SigningSecret]
    deliveries: Sequence[Delivery]


@click.command("show")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """One endpoint: its settings, health, secrets (never shown), what waits, and its last deliveries."""
    known = ask(lambda ogel: _known(ogel, id))
    if as_json:
        say_json(_document(known))
        return
    endpoint = known.endpoint
    show_fields(_settings(endpoint))
    heading("Health")
    show_fields(_health(known))
    heading("Secrets, newest first")
    show_table(_SECRETS, [_secret(secret) for secret in known.secrets], empty="none")
    heading("Last deliveries")
    show_deliveries(known.deliveries)


async def _known(ogel: Services, id: str) -> _Known:
    webhooks = ogel.webhooks
    return _Known(
        await webhooks.endpoints.get(id),
        await webhooks.deliveries.waiting(id, MOST_WAITING),
        await webhooks.secrets.list(id),
        await webhooks.deliveries.list({**NO_FILTERS, "webhook": id, "limit": LAST_DELIVERIES}),
    )


def _document(known: _Known) -> dict[str, Any]:
    import msgspec

    return {
        **msgspec.structs.asdict(known.endpoint),
        "waiting": known.waiting,
        "secrets": known.secrets,
        "deliveries": known.deliveries,
    }


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


def _health(known: _Known) -> list[tuple[str, object]]:
    now = known.endpoint.health
    return [
        ("breaker", now.state),
        ("state", health(now)),
        ("failing since", now.failing_since and both(now.failing_since)),
        ("failures", f"{now.failures_in_row} in a row" if now.failing_since else None),
        ("last error", now.last_error),
        ("next probe", now.next_probe_at and both(now.next_probe_at)),
        ("deliveries", how_many(known.waiting)),
    ]


def how_many(waiting: int) -> str:
    return f"{waiting}{' or more' if waiting >= MOST_WAITING else ''} waiting or under way"


def _secret(secret: SigningSecret) -> tuple[object, ...]:
    age = length((utc_now() - secret.created_at).total_seconds())
    ends = "when it is replaced" if secret.expires_at is None else relative(secret.expires_at)
    return (secret.id, secret.signing, secret.hint or "cannot be read with this OGEL_SECRET", age, ends)
