"""`ogel messages`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ogel.cli.named import in_options
from ogel.cli.operator import (
    after_option,
    api,
    identifier,
    json_option,
    limit_option,
    say,
    say_json,
    say_list,
    say_one,
)
from ogel.cli.tables import Column, Table, heading, printable, show_fields
from ogel.cli.times import absolute, both, milliseconds, relative

if TYPE_CHECKING:
    from ogel.features.messaging.messages.message import (
        AcceptedMessage,
        Message,
        MessageAttempt,
        MessageWithAttempts,
    )

CHANNELS, STATUSES = ("sms", "push"), ("queued", "sent", "failed")
_TABLE: Table[Message] = Table(
    "no messages",
    [
        Column("id"),
        Column("channel"),
        Column("status"),
        Column("to"),
        Column("provider"),
        Column("attempts", right=True),
        Column("created", lambda each: relative(each.created_at)),
        Column("error", gives=True),
    ],
)
_ACCEPTED: Table[AcceptedMessage] = Table("nothing was sent", [Column("id"), Column("status"), Column("to")])


@click.group("messages")
def command() -> None:
    """Send texts and push, look at messages and their attempts, and retry them."""


@command.command("send")
@click.option("--to", "numbers", multiple=True, metavar="NUMBER", help="Text this number (+49…); repeat.")
@click.option("--text", help="What the text says.")
@click.option("--device", "devices", multiple=True, metavar="ID", help="Push to this device; repeat.")
@click.option("--title", help="The push's title.")
@click.option("--body", default="", help="The push's body.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="For the app; repeat.")
@click.option("--ttl", "ttl_seconds", type=int, metavar="SECONDS", help="How long the push is worth keeping.")
@click.option("--idempotency-key", metavar="KEY", help="Sent once, however often it is asked for.")
@json_option
def send(
    numbers: Sequence[str],
    text: str | None,
    devices: Sequence[str],
    title: str | None,
    body: str,
    data: Sequence[str],
    ttl_seconds: int | None,
    idempotency_key: str | None,
    as_json: bool,
) -> None:
    """Send a text to numbers, or a push to devices."""
    if bool(numbers) == bool(devices):
        raise click.UsageError("name numbers with --to, or devices with --device")
    if numbers and (title or body or data or ttl_seconds is not None):
        raise click.UsageError("--title, --body, --data and --ttl are of a push to a --device")
    if devices and text:
        raise click.UsageError("--text is of a text --to numbers")
    wanted: dict[str, Any]
    if numbers:
        wanted = {"channel": "sms", "to": list(numbers), "text": text}
    else:
        pairs = dict(_pair(each) for each in data)
        wanted = {"channel": "push", "to": list(devices), "title": title, "body": body, "data": pairs}
        wanted["ttl_seconds"] = ttl_seconds
    from ogel.features.messaging.messages.message import AcceptedMessages

    with in_options(_options("--to", numbers) if numbers else _options("--device", devices)):
        wanted["idempotency_key"] = idempotency_key
        with api() as ogel:
            answer = ogel.request("POST", "/api/messages", body=wanted)
    if as_json:
        say(answer)
        return
    _ACCEPTED.show(answer.as_(AcceptedMessages).items)


def _options(option: str, recipients: Sequence[str]) -> dict[str, str]:
    """How errors call the fields that are no options of the same name."""
    each = {f"to[{place}]": f"{option} {recipient}" for place, recipient in enumerate(recipients)}
    return {"channel": option, "to": option, **each, "ttl_seconds": "--ttl"}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--data")
    return name, value


@command.command("list")
@click.option("--channel", type=click.Choice(CHANNELS), help="Of this channel.")
@click.option("--status", type=click.Choice(STATUSES), help="That stand so.")
@click.option("--to", metavar="RECIPIENT", help="To this number, or device id.")
@after_option
@limit_option
@json_option
def list_messages(limit: int, after: str | None, as_json: bool, **filters: str | None) -> None:
    """Messages, newest first."""
    from ogel.features.messaging.messages.message import Message

    with api() as ogel:
        found = ogel.listed("/api/messages", limit, after, filters)
    say_list(found, as_json, Message, _TABLE.show)


@command.command("show")
@click.argument("id", type=identifier)
@json_option
def show(id: str, as_json: bool) -> None:
    """One message and every attempt of it."""
    from ogel.features.messaging.messages.message import MessageWithAttempts

    with api() as ogel:
        answer = ogel.request("GET", f"/api/messages/{id}")
    say_one(answer, as_json, MessageWithAttempts, show_message)


@command.command("retry")
@click.argument("id", type=identifier)
@json_option
def retry(id: str, as_json: bool) -> None:
    """Try a message again, now, with all attempts before it."""
    from ogel.features.messaging.messages.message import Message

    with api() as ogel:
        answer = ogel.request("POST", f"/api/messages/{id}/retry")
    say_one(answer, as_json, Message, _say_retried)


def _say_retried(one: Message) -> None:
    click.echo(printable(f"{one.id} {one.status}; `ogel messages show {one.id}` says how it goes"))


@command.command("vapid-key")
@json_option
def vapid_key(as_json: bool) -> None:
    """Make a key for Web Push: a private one for the settings, and the public one that browsers get."""
    from ogel.adapters.messaging.vapid import Vapid, new_private_key

    private = new_private_key()
    public = Vapid(private, "").public_key
    if as_json:
        say_json({"private_key": private, "public_key": public})
    else:
        click.echo(f"OGEL_VAPID_PRIVATE_KEY={private}")
        click.echo(f"# its public key: {public}")


def show_message(message: MessageWithAttempts) -> None:
    show_fields(
        [
            ("id", message.id),
            ("status", message.status),
            ("channel", message.channel),
            ("to", message.to),
            ("title", message.title),
            ("provider", message.provider),
            ("its id there", message.provider_message_id),
            ("error", message.error),
            ("attempts", message.attempts),
            ("created", both(message.created_at)),
            ("next attempt", message.next_attempt_at and both(message.next_attempt_at)),
            ("finished", message.finished_at and both(message.finished_at)),
        ]
    )
    for number, attempt in enumerate(message.log, 1):
        heading(f"MessageAttempt {number}, {absolute(attempt.started_at)} ({relative(attempt.started_at)})")
        _show_attempt(attempt)


def _show_attempt(attempt: MessageAttempt) -> None:
    seconds = attempt.duration_seconds
    show_fields(
        [
            ("outcome", attempt.outcome),
            ("provider", attempt.provider),
            ("error", attempt.error and printable(attempt.error)),
            ("time", None if seconds is None else milliseconds(seconds)),
        ],
        indent="  ",
    )
