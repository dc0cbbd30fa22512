"""`ogel sessions`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, identifier, json_option, say_list
from ogel.cli.people import user_id
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.accounts.sessions.session import Session

_TABLE: Table[Session] = Table(
    "no sessions",
    [
        Column("id"),
        Column("aal"),
        Column("signed in by", lambda each: " ".join(entry["method"] for entry in each.amr)),
        Column("address", lambda each: each.ip or ""),
        Column("created", lambda each: relative(each.created_at)),
        Column("refreshed", lambda each: relative(each.refreshed_at)),
        Column("ends", lambda each: relative(each.not_after)),
        Column("program", lambda each: each.user_agent or "", gives=True),
    ],
)


@click.group("sessions")
def command() -> None:
    """Where somebody has signed in; and sign them out. A USER is an id or an address."""


@command.command("list")
@click.argument("user")
@json_option
def list_sessions(user: str, as_json: bool) -> None:
    """Sessions of a USER, the last refreshed first."""
    from ogel.features.accounts.sessions.session import Session

    with api() as ogel:
        found = ogel.whole(f"/api/users/{user_id(ogel, user)}/sessions")
    say_list(found, as_json, Session, _TABLE.show)


@command.command("revoke")
@click.argument("ids", type=identifier, nargs=-1, metavar="[ID]...")
@click.option("--user", metavar="USER", help="All sessions of this user.")
def revoke(ids: tuple[str, ...], user: str | None) -> None:
    """End sessions at once, and the streams that they opened."""
    if bool(ids) == (user is not None):
        raise click.UsageError("say which sessions to end: their ids, or --user")
    with api() as ogel:
        if user is not None:
            ogel.request("DELETE", f"/api/users/{user_id(ogel, user)}/sessions")
            click.echo(f"{printable(user)} is signed out everywhere")
        for id in ids:
            ogel.request("DELETE", f"/api/sessions/{id}")
            click.echo(f"{id} revoked")
