"""`ogel databases add`"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ogel.cli.operator import json_option, operator, say_json, within
from ogel.kernel.errors import Invalid

_MOST_CHARACTERS = 8192


@click.command("add")
@click.argument("name")
@click.option("--url-from", metavar="VARIABLE|-", help="A whole URL, from a variable or the standard input.")
@click.option("--type", type=click.Choice(["postgresql", "mongodb", "redis"]), help="Where no URL says it.")
@click.option("--host", help="A name or address; private ones too.")
@click.option("--port", type=int, help="The type's own without it.")
@click.option("--database", help="Of redis its number.")
@click.option("--username", help="Asks for the password, unless --password-from says where it is.")
@click.option("--password-from", metavar="VARIABLE|-", help="From a variable or the standard input.")
@click.option(
    "--ssl-mode", type=click.Choice(["disable", "prefer", "require", "verify-full"]), help="As libpq has it."
)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@json_option
def command(
    name: str,
    url_from: str | None,
    password_from: str | None,
    labels: tuple[str, ...],
    as_json: bool,
    **parts: Any,
) -> None:
    """
    Register a database. Its first check follows at once.

    Passwords are no arguments: those stand in the shell's history and in every list of processes.

    \b
        ogel databases add orders --url-from ORDERS_DATABASE_URL
        ogel databases add cache --type redis --host cache.railway.internal
    """
    import msgspec

    from ogel.features.databases.registry.database import NewDatabase
    from ogel.operators import sealing_services

    if url_from == "-" == password_from:
        raise click.UsageError("the standard input is the URL or the password, not both")
    given = {key: value for key, value in parts.items() if value is not None}
    given |= {"name": name, "labels": _labels(labels)}
    if url_from is not None:
        given["url"] = _read(url_from)
    if password_from is not None:
        given["password"] = _read(password_from)
    elif parts["username"] is not None and sys.stdin.isatty():
        given["password"] = click.prompt("Password", hide_input=True, err=True)
    try:
        new = msgspec.convert(given, NewDatabase)
        database = within(sealing_services, lambda ogel: ogel.databases.registry.create(operator(), new))
    except msgspec.ValidationError as error:
        raise click.UsageError(_named(str(error))) from None
    except Invalid as error:
        raise click.UsageError(_named(error.message)) from None
    if as_json:
        say_json(database)
    else:
        click.echo(f"{database.id}  {database.name}; `ogel databases check {database.name}` says how it is")


def _read(place: str) -> str:
    if place == "-":
        return sys.stdin.read(_MOST_CHARACTERS).rstrip("\r\n")
    try:
        return os.environ[place]
    except KeyError:
        raise click.UsageError(f"the variable {place} is not set") from None


def _labels(labels: tuple[str, ...]) -> dict[str, str]:
    pairs = [label.partition("=") for label in labels]
    for pair in pairs:
        if not pair[1]:
            raise click.UsageError(f"--label takes KEY=VALUE, not {pair[0]!r}")
    return {key: value for key, _, value in pairs}


def _named(message: str) -> str:
    return message.replace("body.", "--").replace("`$.", "`--").replace("_", "-")
