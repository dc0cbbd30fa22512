"""`ogel databases add`"""

from __future__ import annotations

import sys
from typing import Any

import click

from ogel.cli.given import PLACE, prompt_hidden, read_from
from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, say

# How errors call the fields that are no options of the same name.
_OPTIONS = {"name": "NAME", "url": "--url-from", "password": "--password-from", "labels": "--label"}


@click.command("add")
@click.argument("name")
@click.option("--url-from", metavar=PLACE, help="A whole URL, from a variable or the standard input.")
@click.option("--type", type=click.Choice(["postgresql", "mongodb", "redis"]), help="Where no URL says it.")
@click.option("--host", help="A name or address; private ones too.")
@click.option("--port", type=int, help="The type's own without it.")
@click.option("--database", help="Of redis its number.")
@click.option("--username", help="Asks for the password, unless --password-from says where it is.")
@click.option("--password-from", metavar=PLACE, help="From a variable or the standard input.")
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
    from ogel.features.databases.registry.database import RegisteredDatabase

    if url_from == "-" == password_from:
        raise click.UsageError("the standard input is the URL or the password, not both")
    given = {key: value for key, value in parts.items() if value is not None}
    given |= {"name": name, "labels": _labels(labels)}
    if url_from is not None:
        given["url"] = read_from("--url-from", url_from)
    if password_from is not None:
        given["password"] = read_from("--password-from", password_from)
    elif parts["username"] is not None and sys.stdin.isatty():
        given["password"] = prompt_hidden("Password")
    with in_options(_OPTIONS), api(seals=True) as ogel:
        answer = ogel.request("POST", "/api/databases", body=given)
    if as_json:
        say(answer)
    else:
        database = answer.as_(RegisteredDatabase)
        click.echo(f"{database.id}  {database.name}; `ogel databases check {database.name}` says how it is")


def _labels(labels: tuple[str, ...]) -> dict[str, str]:
    pairs = [label.partition("=") for label in labels]
    for pair in pairs:
        if not pair[1]:
            raise click.UsageError(f"--label takes KEY=VALUE, not {pair[0]!r}")
    return {key: value for key, _, value in pairs}
