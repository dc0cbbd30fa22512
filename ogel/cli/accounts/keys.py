"""`ogel accounts keys`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say, say_list
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.accounts.signing.key import SigningKey

_TABLE: Table[SigningKey] = Table(
    "no keys: the first is made when somebody signs in",
    [
        Column("kid"),
        Column("algorithm"),
        Column("state"),
        Column("created", lambda key: relative(key.created_at)),
        Column("signs since", lambda key: relative(key.current_at)),
        Column("signed until", lambda key: relative(key.retired_at)),
    ],
)


@click.group("keys")
def command() -> None:
    """List and rotate the keys that access tokens are signed with."""


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """All keys, the newest first; revoked ones are forgotten after a month."""
    from ogel.features.accounts.signing.key import SigningKey

    with api() as ogel:
        found = ogel.whole("/api/signing-keys")
    say_list(found, as_json, SigningKey, _TABLE.show)


@command.command("rotate")
@click.option(
    "--at-once", is_flag=True, help="Somebody has got hold of a key: believe none of them any more."
)
@json_option
def rotate(at_once: bool, as_json: bool) -> None:
    """Have another key sign: in an hour, when everybody knows it, unless it is to be --at-once."""
    from ogel.features.accounts.signing.key import SigningKey

    with api() as ogel:
        answer = ogel.request("POST", "/api/signing-keys/rotate", body={"at_once": at_once})
    if as_json:
        say(answer)
    else:
        key = answer.as_(SigningKey)
        click.echo(f"{key.kid} {'signs' if key.state == 'current' else 'signs in an hour'}")
