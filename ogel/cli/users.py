"""`ogel users`"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ogel.cli.given import prompt_hidden
from ogel.cli.numbers import RealRange
from ogel.cli.operator import api, identifier, json_option, limit_option, say, say_json, say_list, say_one
from ogel.cli.people import user_id
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.accounts.administration.forms import UserInfo
    from ogel.features.accounts.users.user import Factor

_TABLE: Table[UserInfo] = Table(
    "no users",
    [
        Column("id"),
        Column("address", lambda each: each.email or each.phone or "", gives=True),
        Column("state", lambda each: _state(each)),
        Column("role"),
        Column("labels", lambda each: " ".join(each.labels)),
        Column("created", lambda each: relative(each.created_at)),
        Column("signed in", lambda each: relative(each.last_sign_in_at) if each.last_sign_in_at else "never"),
    ],
)
_FACTORS: Table[Factor] = Table(
    "no factors",
    [
        Column("id"),
        Column("type", lambda each: each.factor_type),
        Column("status"),
        Column("name", lambda each: each.friendly_name or "", gives=True),
        Column("created", lambda each: relative(each.created_at)),
    ],
)
_MOST_CHARACTERS = 8192

user_argument = click.argument("user", metavar="USER")
password_option = click.option(
    "--password", is_flag=True, help="Ask for a password; a new one ends all sessions."
)
password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read a password from the standard input."
)
role_option = click.option("--role", help="As whom the database lets them read rows.")
labels_option = click.option("--label", "labels", multiple=True, help="Gives the role label:NAME; repeat it.")


@click.group("users")
def command() -> None:
    """Find, make, change, ban and delete users. A USER is an id or an address."""


@command.command("list")
@click.option("--filter", metavar="PART", help="Part of an address, a number or a name.")
@click.option("--after", metavar="CURSOR", help="The `next` of the page before.")
@limit_option
@json_option
def list_users(filter: str | None, after: str | None, limit: int, as_json: bool) -> None:
    """Users, newest first."""
    from ogel.features.accounts.administration.forms import UserInfo

    with api() as ogel:
        found = ogel.listed("/api/users", limit, query={"filter": filter}, cursor=after)
    say_list(found, as_json, UserInfo, _TABLE.show, position=None)


@command.command("show")
@user_argument
def show(user: str) -> None:
    """One user, as JSON, with identities and factors."""
    with api() as ogel:
        say(ogel.request("GET", _path(ogel, user)))


@command.command("create")
@click.argument("email")
@click.option("--confirmed", is_flag=True, help="The address is theirs: no mail has to prove it.")
@password_option
@password_stdin_option
@role_option
@labels_option
@json_option
def create(
    email: str,
    confirmed: bool,
    password: bool,
    password_stdin: bool,
    role: str | None,
    labels: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a user. No mail is sent."""
    from ogel.features.accounts.administration.forms import UserDetail

    body = {
        "email": email,
        "email_confirmed": confirmed,
        "password": _password(password, password_stdin),
        "role": role,
        "labels": labels or None,
    }
    with api() as ogel:
        answer = ogel.request("POST", "/api/users", body=body)
    say_one(answer, as_json, UserDetail, lambda made: click.echo(str(made.id)))


@command.command("update")
@user_argument
@click.option("--email", help="The new address; it counts at once.")
@click.option("--confirmed", is_flag=True, help="The address is theirs.")
@password_option
@password_stdin_option
@role_option
@labels_option
@click.option("--no-labels", is_flag=True, help="Takes all labels away.")
def update(
    user: str,
    email: str | None,
    confirmed: bool,
    password: bool,
    password_stdin: bool,
    role: str | None,
    labels: tuple[str, ...],
    no_labels: bool,
) -> None:
    """Change a user. What no option names stays; --label says all labels there shall be."""
    if labels and no_labels:
        raise click.UsageError("--label and --no-labels exclude each other")
    body = {
        "email": email,
        "email_confirmed": confirmed,
        "password": _password(password, password_stdin),
        "role": role,
        "labels": labels if labels or no_labels else None,
    }
    if not any(value is not None and value is not False for value in body.values()):
        raise click.UsageError("say what to change")
    with api() as ogel:
        ogel.request("PATCH", _path(ogel, user), body=body)
    click.echo(f"{user} changed")


@command.command("ban")
@user_argument
@click.option(
    "--days", type=RealRange(min=0, min_open=True, max=36500), help="For so long; for ever without it."
)
def ban(user: str, days: float | None) -> None:
    """Let nobody in as this user, within a second. Their sessions go on when the ban ends."""
    until = utc_now() + timedelta(days=36500 if days is None else days)
    with api() as ogel:
        ogel.request("PATCH", _path(ogel, user), body={"banned_until": until})
    click.echo(f"{user} banned{'' if days is None else f' {relative(until)}'}")


@command.command("unban")
@user_argument
def unban(user: str) -> None:
    """End a ban."""
    with api() as ogel:
        ogel.request("PATCH", _path(ogel, user), body={"banned_until": None})
    click.echo(f"{user} is no longer banned")


@command.command("delete")
@user_argument
@click.option("--soft", is_flag=True, help="Keep the row for what points to it; forget who it was.")
def delete(user: str, soft: bool) -> None:
    """Delete a user, with sessions, identities and factors."""
    with api() as ogel:
        ogel.request("DELETE", _path(ogel, user), body={"soft": soft})
    click.echo(f"{user} deleted")


@command.command("factors")
@user_argument
@click.option("--remove", type=identifier, metavar="ID", help="Remove this one: its device is lost.")
@json_option
def factors(user: str, remove: str | None, as_json: bool) -> None:
    """The second factors of a user: authenticator apps, recovery codes."""
    from ogel.features.accounts.administration.forms import UserDetail

    with api() as ogel:
        path = _path(ogel, user)
        if remove is not None:
            ogel.request("DELETE", f"{path}/factors/{remove}")
        found = ogel.request("GET", path).as_(UserDetail)
    if as_json:
        say_json({"items": found.factors, "next": None})
    else:
        _FACTORS.show(found.factors)


def _path(ogel: Client, user: str) -> str:
    return f"/api/users/{user_id(ogel, user)}"


def _password(ask: bool, from_stdin: bool) -> str | None:
    if from_stdin:
        return sys.stdin.read(_MOST_CHARACTERS).rstrip("\r\n")
    if not ask:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the password on: say --password-stdin")
    password = prompt_hidden("Password")
    if not isinstance(password, str) or not password:
        raise click.UsageError("no password was given")
    return password


def _state(user: UserInfo) -> str:
    if user.deleted_at is not None:
        return "deleted"
    if user.banned_until is not None and user.banned_until > utc_now():
        return "banned"
    if user.is_anonymous:
        return "anonymous"
    return "confirmed" if user.email_confirmed_at or user.phone_confirmed_at else "unconfirmed"
