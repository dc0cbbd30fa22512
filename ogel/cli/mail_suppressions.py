"""`ogel mail suppressions`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel.cli.named import in_options
from ogel.cli.operator import ask, json_option, limit_option, operator, say_json, say_page
from ogel.cli.tables import Column, printable, show_table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.mail.suppressions.suppression import Suppression
    from ogel.operators import Services

REASONS = ("bounce", "complaint", "unsubscribe", "manual")
_COLUMNS = [
    Column("address", gives=True),
    Column("reason"),
    Column("since"),
    Column("message"),
    Column("detail", gives=True),
]


@click.group("suppressions")
def command() -> None:
    """Whom nothing is sent to: list them, lift one, add one."""


@command.command("list")
@click.option("--after", metavar="ADDRESS", help="Begin after this one.")
@limit_option
@json_option
def list_suppressions(limit: int, after: str | None, as_json: bool) -> None:
    """Suppressed addresses, by address, and why they are."""
    found = ask(lambda ogel: ogel.mail.suppressions.list(after and after.lower(), limit + 1))
    say_page(found, limit, as_json, _show_page, position="address")


def _show_page(shown: Sequence[Suppression]) -> None:
    rows = [
        (each.address, each.reason, relative(each.created_at), each.message, each.detail) for each in shown
    ]
    show_table(_COLUMNS, rows, empty="nobody is suppressed")


@command.command("remove")
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
def remove(addresses: tuple[str, ...]) -> None:
    """Send to addresses again. What was suppressed meanwhile stays so: `POST /api/mail/{id}/retry` sends it."""
    with in_options({"address": "ADDRESS"}):
        ask(lambda ogel: _remove(ogel, addresses))


async def _remove(ogel: Services, addresses: Sequence[str]) -> None:
    for address in addresses:
        await ogel.mail.suppressions.remove(operator(), address)
        click.echo(f"{printable(address)} is sent to again")


@command.command("add")
@click.argument("address")
@click.option("--reason", type=click.Choice(REASONS), default="manual", show_default=True)
@click.option("--detail", help="For people: who asked for it, say.")
@json_option
def add(address: str, reason: str, detail: str | None, as_json: bool) -> None:
    """Send nothing to ADDRESS any more. One that is suppressed already stays so for its first reason."""
    import msgspec

    from ogel.features.mail.suppressions.suppression import NewSuppression
    from ogel.runtime.http.input import invalid

    async def asked(ogel: Services) -> Suppression:
        try:
            new = msgspec.convert({"address": address, "reason": reason, "detail": detail}, NewSuppression)
        except msgspec.ValidationError as error:
            raise invalid("body", error) from error
        return await ogel.mail.suppressions.add(operator(), new)

    with in_options({"address": "ADDRESS"}):
        added = ask(asked)
    if as_json:
        say_json(added)
    else:
        click.echo(f"{printable(added.address)} is suppressed: {added.reason}")
