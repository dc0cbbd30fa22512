"""`ogel teams`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.named import in_options
from ogel.cli.operator import after_option, api, identifier, json_option, limit_option, say, say_list, say_one
from ogel.cli.people import user_id
from ogel.cli.tables import Column, Table, printable, show_fields
from ogel.cli.times import both, relative

if TYPE_CHECKING:
    from ogel.features.teams.team import Invitation, Member, Team

_TEAMS: Table[Team] = Table(
    "no teams",
    [
        Column("id"),
        Column("name", gives=True),
        Column("made by", lambda each: each.made_by),
        Column("created", lambda each: relative(each.created_at)),
    ],
)
_MEMBERS: Table[Member] = Table(
    "no members",
    [
        Column("id"),
        Column("user", lambda each: each.user_id),
        Column("email", gives=True),
        Column("roles", lambda each: " ".join(each.roles)),
        Column("joined", lambda each: relative(each.joined_at)),
    ],
)
_INVITATIONS: Table[Invitation] = Table(
    "no invitations",
    [
        Column("id"),
        Column("email", gives=True),
        Column("roles", lambda each: " ".join(each.roles)),
        Column("invited by", lambda each: each.invited_by),
        Column("expires", lambda each: relative(each.expires_at)),
    ],
)
_team = click.argument("team", type=identifier)
_member = click.argument("member", type=identifier)
_roles = click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    help="owner, admin, member, or a word of your own; repeat it.",
)
# How errors call the fields that are no options of the same name.
_OPTIONS = {"name": "NAME", "email": "EMAIL", "user_id": "USER", "owner": "--owner", "roles": "--role"}


@click.group("teams")
def command() -> None:
    """Teams, who is in them with which roles, and who is invited. A USER is an id or an address."""


@command.command("list")
@click.option("--user", metavar="USER", help="The teams of this user alone.")
@limit_option
@after_option
@json_option
def list_teams(user: str | None, limit: int, after: str | None, as_json: bool) -> None:
    """All teams, newest first."""
    from ogel.features.teams.team import Team

    with api() as ogel:
        found = ogel.listed("/api/teams", limit, after, {"user": user and user_id(ogel, user)})
    say_list(found, as_json, Team, _TEAMS.show)


@command.command("show")
@_team
@json_option
def show(team: str, as_json: bool) -> None:
    """One team."""
    from ogel.features.teams.team import Team

    with api() as ogel:
        answer = ogel.request("GET", f"/api/teams/{team}")
    say_one(answer, as_json, Team, show_team)


@command.command("create")
@click.argument("name")
@click.option("--owner", metavar="USER", help="The user who owns it.")
@json_option
def create(name: str, owner: str | None, as_json: bool) -> None:
    """Make a team."""
    from ogel.features.teams.team import Team

    with in_options(_OPTIONS), api() as ogel:
        body = {"name": name, "owner": owner and user_id(ogel, owner)}
        answer = ogel.request("POST", "/api/teams", body=body)
    say_one(answer, as_json, Team, show_team)


@command.command("rename")
@_team
@click.argument("name")
def rename(team: str, name: str) -> None:
    """Give a team another name."""
    with in_options(_OPTIONS), api() as ogel:
        ogel.request("PATCH", f"/api/teams/{team}", body={"name": name})
    click.echo(f"{team} is called {printable(name)}")


@command.command("delete")
@_team
@click.confirmation_option(prompt="Its memberships and invitations go with it. Delete it?")
def delete(team: str) -> None:
    """End a team."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/teams/{team}")
    click.echo(f"{team} deleted")


@command.command("members")
@_team
@limit_option
@after_option
@json_option
def members(team: str, limit: int, after: str | None, as_json: bool) -> None:
    """Who is in a team, oldest first."""
    from ogel.features.teams.team import Member

    with api() as ogel:
        found = ogel.listed(f"/api/teams/{team}/members", limit, after)
    say_list(found, as_json, Member, _MEMBERS.show)


@command.command("add")
@_team
@click.argument("user")
@_roles
@json_option
def add(team: str, user: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Put USER into a team, without asking them."""
    with in_options(_OPTIONS), api() as ogel:
        body = {"user_id": user_id(ogel, user), "roles": roles}
        answer = ogel.request("POST", f"/api/teams/{team}/members", body=body)
    if as_json:
        say(answer)
    else:
        click.echo(f"{printable(user)} is in {team}: {' '.join(roles)}")


@command.command("roles")
@_team
@_member
@_roles
def set_roles(team: str, member: str, roles: tuple[str, ...]) -> None:
    """Give MEMBER (mem_…) other roles in a team, all of them."""
    with in_options(_OPTIONS), api() as ogel:
        ogel.request("PATCH", f"/api/teams/{team}/members/{member}", body={"roles": roles})
    click.echo(f"{member} is {' '.join(roles)}")


@command.command("remove")
@_team
@_member
def remove(team: str, member: str) -> None:
    """Take MEMBER (mem_…) out of a team."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/teams/{team}/members/{member}")
    click.echo(f"{member} removed")


@command.command("invite")
@_team
@click.argument("email")
@_roles
@click.option("--redirect-to", metavar="URL", help="The page of yours that its link leads to.")
@click.option("--language", help="Of the mail: de, en, …")
@click.option("--no-mail", is_flag=True, help="Send nothing, and print the link.")
@json_option
def invite(
    team: str,
    email: str,
    roles: tuple[str, ...],
    redirect_to: str | None,
    language: str | None,
    no_mail: bool,
    as_json: bool,
) -> None:
    """Invite EMAIL to a team. A second invitation takes the place of the first."""
    from ogel.features.teams.team import MadeInvitation

    body = {
        "email": email,
        "roles": roles,
        "redirect_to": redirect_to,
        "language": language,
        "send": not no_mail,
    }
    with in_options(_OPTIONS), api() as ogel:
        answer = ogel.request("POST", f"/api/teams/{team}/invitations", body=body)
    if as_json:
        say(answer)
    else:
        made = answer.as_(MadeInvitation)
        click.echo(f"{made.id}: {made.url or f'mailed to {printable(made.email)}'}")


@command.command("invitations")
@_team
@limit_option
@after_option
@json_option
def invitations(team: str, limit: int, after: str | None, as_json: bool) -> None:
    """Who was invited to a team and has not accepted."""
    from ogel.features.teams.team import Invitation

    with api() as ogel:
        found = ogel.listed(f"/api/teams/{team}/invitations", limit, after)
    say_list(found, as_json, Invitation, _INVITATIONS.show)


@command.command("revoke")
@_team
@click.argument("invitation", type=identifier)
def revoke(team: str, invitation: str) -> None:
    """Take an invitation (inv_…) back."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/teams/{team}/invitations/{invitation}")
    click.echo(f"{invitation} revoked")


def show_team(team: Team) -> None:
    show_fields(
        [
            ("id", team.id),
            ("name", team.name),
            ("made by", team.made_by),
            ("created", both(team.created_at)),
            ("renamed", both(team.updated_at) if team.updated_at != team.created_at else None),
        ]
    )
