"""`ogel mail suppressions`"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, limit_option, say, say_list
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.mail.suppressions.suppression import Suppression

REASONS = ("bounce", "complaint", "unsubscribe", "manual")
_TABLE: Table[Suppression] = Table(
    "nobody is suppressed",
    [
        Column("address", gives=True),
        Column("reason"),
        Column("since", lambda each: relative(each.created_at)),
        Column("message"),
        Column("detail", gives=True),
    ],
)


@click.group("suppressions")
def command() -> None:
    """Whom nothing is sent to: list them, lift one, add one."""


@command.command("list")
@click.option("--after", metavar="ADDRESS", help="Begin after this one.")
@limit_option
@json_option
def list_suppressions(limit: int, after: str | None, as_json: bool) -> None:
    """Suppressed addresses, by address, and why they are."""
    from ogel.features.mail.suppressions.suppression import Suppression

    with api() as ogel:
        found = ogel.listed("/api/mail/suppressions", limit, after and after.lower())
    say_list(found, as_json, Suppression, _TABLE.show, position="address")


@command.command("remove")
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
def remove(addresses: tuple[str, ...]) -> None:
    """Send to addresses again. What was suppressed meanwhile stays so: `POST /api/mail/{id}/retry` sends it."""
    with in_options({"address": "ADDRESS"}), api() as ogel:
        for address in addresses:
            ogel.request("DELETE", f"/api/mail/suppressions/{quote(address, safe='')}")
            click.echo(f"{printable(address)} is sent to again")


@command.command("add")
@click.argument("address")
@click.option("--reason", type=click.Choice(REASONS), default="manual", show_default=True)
@click.option("--detail", help="For people: who asked for it, say.")
@json_option
def add(address: str, reason: str, detail: str | None, as_json: bool) -> None:
    """Send nothing to ADDRESS any more. One that is suppressed already stays so for its first reason."""
    from ogel.features.mail.suppressions.suppression import Suppression

    with in_options({"address": "ADDRESS"}), api() as ogel:
        body = {"address": address, "reason": reason, "detail": detail}
        answer = ogel.request("POST", "/api/mail/suppressions", body=body)
    if as_json:
        say(answer)
    else:
        added = answer.as_(Suppression)
        click.echo(f"{printable(added.address)} is suppressed: {added.reason}")
