"""`ogel deliveries`"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import after_option, api, identifier, json_option, limit_option, say_list, say_one
from ogel.cli.tables import Column, Table, heading, printable, show_fields
from ogel.cli.times import absolute, both, milliseconds, moment, relative

if TYPE_CHECKING:
    from ogel.features.webhooks.deliveries.delivery import Delivery, DeliveryAttempt, DeliveryWithAttempts

STATUSES = ("pending", "delivered", "failed", "cancelled")
BODY_LINES, BODY_CHARACTERS = 20, 2000
TABLE: Table[Delivery] = Table(
    "no deliveries",
    [
        Column("id"),
        Column("status"),
        Column("attempts", right=True),
        Column("event type", gives=True),
        Column("event"),
        Column("created", lambda each: relative(each.created_at)),
        Column("next attempt", lambda each: relative(each.next_attempt_at)),
    ],
)


@click.group("deliveries")
def command() -> None:
    """Look at deliveries and their attempts, and retry them."""


@command.command("list")
@click.option("--webhook", type=identifier, metavar="ID", help="Of this endpoint.")
@click.option("--event", type=identifier, metavar="ID", help="Of this event.")
@click.option("--status", type=click.Choice(STATUSES), help="That stand so.")
@click.option(
    "--since", type=moment, metavar="TIME", help="Created then or later: RFC 3339, or an age such as 2h."
)
@click.option("--until", type=moment, metavar="TIME", help="Created then or before.")
@after_option
@limit_option
@json_option
def list_deliveries(limit: int, after: str | None, as_json: bool, **filters: str | datetime | None) -> None:
    """Deliveries, newest first."""
    from ogel.features.webhooks.deliveries.delivery import Delivery

    with api() as ogel:
        deliveries = ogel.listed("/api/deliveries", limit, after, filters)
    say_list(deliveries, as_json, Delivery, TABLE.show)


@command.command("show")
@click.argument("id", type=identifier)
@json_option
def show(id: str, as_json: bool) -> None:
    """One delivery and every attempt of it."""
    from ogel.features.webhooks.deliveries.delivery import DeliveryWithAttempts

    with api() as ogel:
        answer = ogel.request("GET", f"/api/deliveries/{id}")
    say_one(answer, as_json, DeliveryWithAttempts, show_delivery)


@command.command("retry")
@click.argument("id", type=identifier)
@json_option
def retry(id: str, as_json: bool) -> None:
    """Deliver again, now, with all attempts before it."""
    from ogel.features.webhooks.deliveries.delivery import Delivery

    with api() as ogel:
        answer = ogel.request("POST", f"/api/deliveries/{id}/retry")
    say_one(answer, as_json, Delivery, _say_retried)


def _say_retried(one: Delivery) -> None:
    click.echo(printable(f"{one.id} {one.status}; `ogel deliveries show {one.id}` says how it goes"))


def show_delivery(delivery: DeliveryWithAttempts) -> None:
    show_fields(
        [
            ("id", delivery.id),
            ("status", delivery.status),
            ("event", f"{delivery.event} ({delivery.event_type})"),
            ("webhook", delivery.webhook),
            ("attempts", delivery.attempts),
            ("created", both(delivery.created_at)),
            ("next attempt", delivery.next_attempt_at and both(delivery.next_attempt_at)),
            ("finished", delivery.finished_at and both(delivery.finished_at)),
        ]
    )
    for attempt in delivery.log:
        heading(
            f"DeliveryAttempt {attempt.number}, {absolute(attempt.started_at)} ({relative(attempt.started_at)})"
        )
        show_attempt(attempt)


def show_attempt(attempt: DeliveryAttempt) -> None:
    timings = attempt.timings
    phases = [
        ("dns", timings.dns),
        ("connect", timings.connect),
        ("tls", timings.tls),
        ("first byte", timings.first_byte),
        ("total", attempt.duration_seconds),
    ]
    timed = [f"{name} {milliseconds(seconds)}" for name, seconds in phases if seconds is not None]
    show_fields(
        [
            ("outcome", attempt.outcome),
            ("reason", attempt.reason),
            ("detail", attempt.detail),
            ("status", attempt.response_status),
            ("peer", attempt.peer),
            ("time", ", ".join(timed) or "not known"),
            *(("sent", f"{name}: {value}") for name, value in attempt.request_headers),
            *(("received", f"{name}: {value}") for name, value in attempt.response_headers),
        ],
        indent="  ",
    )
    _show_body(attempt)


def _show_body(attempt: DeliveryAttempt) -> None:
    """Its beginning; --json has all that was kept."""
    if not attempt.response_body:
        return
    lines = attempt.response_body[:BODY_CHARACTERS].splitlines()
    for line in lines[:BODY_LINES]:
        click.echo(f"    | {printable(line)}")
    if len(attempt.response_body) > BODY_CHARACTERS or len(lines) > BODY_LINES:
        click.echo(f"    … {len(attempt.response_body)} characters were kept; --json shows them")
    if attempt.response_cut:
        click.echo("    … and there was more than is kept")
