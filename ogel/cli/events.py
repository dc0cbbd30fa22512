"""`ogel events`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.deliveries import TABLE as DELIVERIES
from ogel.cli.given import json_of
from ogel.cli.named import in_options
from ogel.cli.operator import api, identifier, json_option, limit_option, say, say_list
from ogel.cli.tables import Column, Table, heading, printable, show_fields
from ogel.cli.times import both, relative

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.events.service import StoredEvent

LAST_DELIVERIES = 20
DATA_CHARACTERS = 2000
_TABLE: Table[StoredEvent] = Table(
    "no events",
    [
        Column("id"),
        Column("type", gives=True),
        Column("subject", gives=True),
        Column("deliveries", right=True),
        Column("published", lambda each: relative(each.created_at)),
    ],
)


@click.group("events")
def command() -> None:
    """Publish events, and look them up."""


@command.command("publish")
@click.argument("type")
@click.option("--data", metavar="JSON|@FILE|-", help="Of a file or the standard input, too; null without it.")
@click.option("--subject", help="What it is about, such as order/17.")
@click.option("--id", "id", metavar="ID", help="Your own: the same one again changes nothing.")
@json_option
def publish(type: str, data: str | None, subject: str | None, id: str | None, as_json: bool) -> None:
    """Publish one event of this type."""
    from ogel.features.events.service import Published

    event: dict[str, object] = {"type": type, "data": json_of("--data", data)}
    event |= {name: value for name, value in (("subject", subject), ("id", id)) if value is not None}
    with in_options({"type": "TYPE"}), api() as ogel:
        answer = ogel.request("POST", "/api/events", body=event)
    if as_json:
        say(answer)
        return
    published = answer.as_(Published)
    click.echo(f"{published.id} published, deliveries: {published.deliveries}")


@command.command("list")
@click.option("--type", metavar="TYPE", help="Of this type.")
@click.option("--subject", help="About this.")
@click.option("--after", metavar="CURSOR", help="The `next` of the page before.")
@limit_option
@json_option
def list_events(type: str | None, subject: str | None, after: str | None, limit: int, as_json: bool) -> None:
    """Events, newest first."""
    from ogel.features.events.service import StoredEvent

    with api() as ogel:
        found = ogel.listed("/api/events", limit, query={"type": type, "subject": subject}, cursor=after)
    say_list(found, as_json, StoredEvent, _TABLE.show, position=None)


@command.command("show")
@click.argument("id", type=identifier)
@json_option
def show(id: str, as_json: bool) -> None:
    """One event, what it holds, and its deliveries."""
    with api() as ogel:
        show_event(ogel, id, as_json)


def show_event(ogel: Client, id: str, as_json: bool) -> None:
    from ogel.features.events.service import StoredEvent
    from ogel.features.webhooks.deliveries.delivery import Delivery

    answer = ogel.request("GET", f"/api/events/{id}")
    if as_json:
        say(answer)
        return
    event = answer.as_(StoredEvent)
    data = bytes(event.data).decode()
    more = f" … {len(data)} characters; --json shows them" if len(data) > DATA_CHARACTERS else ""
    show_fields(
        [
            ("id", event.id),
            ("type", event.type),
            ("subject", event.subject),
            ("published", both(event.created_at)),
            ("data", printable(data[:DATA_CHARACTERS]) + more),
        ]
    )
    if event.deliveries:
        deliveries = ogel.listed("/api/deliveries", LAST_DELIVERIES, query={"event": id})
        heading("Deliveries")
        DELIVERIES.show(deliveries.as_(Delivery))
