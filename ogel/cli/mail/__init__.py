"""`ogel mail`"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.mail import suppressions
from ogel.cli.named import in_options
from ogel.cli.numbers import RealRange
from ogel.cli.operator import after_option, api, identifier, json_option, limit_option, say, say_list
from ogel.cli.tables import Column, Table, printable, show_fields
from ogel.cli.times import absolute, both, milliseconds, relative

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client
    from ogel.features.mail.message import MailAttempt, MailMessage
    from ogel.settings import Settings

STATUSES = ("queued", "sent", "failed", "suppressed")
_LOOK_SECONDS = 0.2
_TABLE: Table[MailMessage] = Table(
    "no messages",
    [
        Column("id"),
        Column("status"),
        Column("attempts", right=True),
        Column("to", gives=True),
        Column("subject", gives=True),
        Column("created", lambda each: relative(each.created_at)),
        Column("next attempt", lambda each: relative(each.next_attempt_at)),
    ],
)


@click.group("mail")
def command() -> None:
    """Send a test message, look at messages and their attempts, and at who is suppressed."""


command.add_command(suppressions.command)


@command.command("test")
@click.argument("address")
@click.option("--locale", default="en", show_default=True, help="Language of the message.")
@click.option(
    "--wait",
    "seconds",
    type=RealRange(0, 3600),
    default=60.0,
    show_default=True,
    help="For the outcome, so many seconds at most.",
)
@json_option
def test(address: str, locale: str, seconds: float, as_json: bool) -> None:
    """Send ADDRESS the template `test` as any mail is sent, by a worker; exit 1 when it was not sent."""
    from ogel.features.mail.message import AcceptedMail, MailMessageWithAttempts

    with api() as ogel:
        with in_options({"to": "ADDRESS"}):
            mail = {"to": address, "template": "test", "locale": locale}
            [accepted] = ogel.request("POST", "/api/mail", body=mail).as_(AcceptedMail).items
        answer = _settled(ogel, accepted.id, seconds, (lambda _: None) if as_json else _say_attempt)
    message = answer.as_(MailMessageWithAttempts)
    if as_json:
        say(answer)
    else:
        click.echo(
            f"{message.id} {message.status}" + (f": {printable(message.error)}" if message.error else "")
        )
        if message.provider == "outbox":
            click.echo(f"it is in {_file_of(message, ogel.settings)}")
        if message.status == "queued":
            advice = "" if message.attempts or message.error else "; does a worker of the queue `mail` run?"
            click.echo(f"`ogel mail show {message.id}` says what becomes of it{advice}", err=True)
    sys.exit(0 if message.status == "sent" else 1)


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="That stand so.")
@click.option("--to", metavar="ADDRESS", help="To this address.")
@after_option
@limit_option
@json_option
def list_messages(limit: int, after: str | None, as_json: bool, **filters: str | None) -> None:
    """Messages, newest first."""
    from ogel.features.mail.message import MailMessage

    with api() as ogel:
        messages = ogel.listed("/api/mail", limit, after, filters)
    say_list(messages, as_json, MailMessage, _TABLE.show)


@command.command("show")
@click.argument("id", type=identifier)
@json_option
def show(id: str, as_json: bool) -> None:
    """One message and every attempt of it."""
    with api() as ogel:
        show_mail(ogel, id, as_json)


def show_mail(ogel: Client, id: str, as_json: bool) -> None:
    from ogel.features.mail.message import MailMessageWithAttempts

    answer = ogel.request("GET", f"/api/mail/{id}")
    if as_json:
        say(answer)
        return
    message = answer.as_(MailMessageWithAttempts)
    show_fields(
        [
            ("id", message.id),
            ("status", message.status),
            ("from", message.from_),
            ("to", message.to),
            ("subject", message.subject),
            ("template", message.template and f"{message.template} ({message.locale})"),
            ("provider", message.provider),
            ("provider id", message.provider_id),
            ("file", _file_of(message, ogel.settings) if message.provider == "outbox" else None),
            ("error", message.error),
            ("attempts", message.attempts),
            ("created", both(message.created_at)),
            ("next attempt", message.next_attempt_at and both(message.next_attempt_at)),
            ("finished", message.finished_at and both(message.finished_at)),
        ]
    )
    if message.log:
        click.echo()
    for attempt in message.log:
        _say_attempt(attempt)


def _file_of(message: MailMessage, settings: Settings | None) -> str:
    """Where the worker wrote it; it may have another disk than we."""
    if settings is not None:
        from ogel.features.mail.providers import outbox_directory

        here = (outbox_directory(settings.data_dir) / str(message.provider_id)).resolve()
        if here.is_file():
            return str(here)
    name = Path(str(message.provider_id)).name
    return f"{name}, in the outbox of the worker's OGEL_DATA_DIR"


def _settled(ogel: Client, id: str, seconds: float, say: Callable[[MailAttempt], None]) -> Answer:
    """The message once it is over, or has not been for so long; attempts are said as they are written."""
    from ogel.features.mail.message import MailMessageWithAttempts

    deadline = time.monotonic() + seconds
    said = 0
    while True:
        answer = ogel.request("GET", f"/api/mail/{id}")
        message = answer.as_(MailMessageWithAttempts)
        said += _say_new(message.log[said:], say)
        if message.status != "queued" or time.monotonic() >= deadline:
            return answer
        time.sleep(_LOOK_SECONDS)


def _say_new(attempts: Sequence[MailAttempt], say: Callable[[MailAttempt], None]) -> int:
    for attempt in attempts:
        say(attempt)
    return len(attempts)


def _say_attempt(attempt: MailAttempt) -> None:
    provider = attempt.provider or "a worker"
    time = "" if attempt.seconds is None else f" ({milliseconds(attempt.seconds)})"
    outcome = "took it" if attempt.error is None else printable(attempt.error)
    click.echo(f"{absolute(attempt.started_at)}  {provider}{time}: {outcome}")
