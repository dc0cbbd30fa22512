"""`ogel keys`"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from ogel.cli.client import Listed, decoded
from ogel.cli.numbers import RealRange
from ogel.cli.operator import api, identifier, json_option, say, say_list
from ogel.cli.tables import Column, Table
from ogel.kernel.clock import rfc3339, utc_now

if TYPE_CHECKING:
    from ogel.features.keys.key import ApiKey

_TABLE: Table[ApiKey] = Table(
    "no keys",
    [
        Column("id"),
        Column("begins with", lambda key: f"{key.hint}…"),
        Column("state", lambda key: _state(key)),
        Column("name", gives=True),
        Column("scopes", lambda key: _rights(key)),
    ],
)
# More than anybody has.
_ALL = 100_000

days_option = click.option(
    "--days",
    type=RealRange(min=0, min_open=True, max=36500),
    help="Expires after this; never without it.",
)


@click.group("keys")
def command() -> None:
    """Create, list, rotate and revoke API keys."""


@command.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="events:write, webhooks:*, * …; repeat it.")
@click.option("--publishable", is_flag=True, help="May stand in web pages and apps: it has no scopes.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="Good from there only; repeat it.")
@days_option
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    publishable: bool,
    networks: tuple[str, ...],
    days: float | None,
    as_json: bool,
) -> None:
    """Make a key. It is printed once and stored nowhere."""
    from ogel.features.keys.key import MadeKey

    if publishable == bool(scopes):
        raise click.UsageError(
            "say what the key may do with --scope, or --publishable for one without scopes"
        )
    body = {
        "name": name,
        "kind": "publishable" if publishable else "secret",
        "scopes": scopes or None,
        "networks": networks or None,
        "expires_at": _after(days),
    }
    with api() as ogel:
        answer = ogel.request("POST", "/api/keys", body=body)
    if as_json:
        say(answer)
    else:
        made = answer.as_(MadeKey)
        click.echo(f"{made.id}\n{made.key}")


@command.command("list")
@click.option(
    "--made-by", type=identifier, metavar="WHO", help="By this key, such as one that leaked, or admin."
)
@json_option
def list_keys(made_by: str | None, as_json: bool) -> None:
    """All keys, ended ones too; the keys themselves are not known to Ogel."""
    from ogel.features.keys.key import ApiKey

    with api() as ogel:
        found = ogel.listed("/api/keys", _ALL)
    if made_by is not None:
        found = Listed([each for each in found.items if decoded(each, ApiKey).made_by == made_by])
    say_list(found, as_json, ApiKey, lambda keys: _TABLE.show(reversed(keys)))


@command.command("show")
@click.argument("id", type=identifier)
def show(id: str) -> None:
    """One key, as JSON: its networks, who made it, and what took its place."""
    with api() as ogel:
        say(ogel.request("GET", f"/api/keys/{id}"))


@command.command("rotate")
@click.argument("id", type=identifier)
@click.option(
    "--overlap",
    "overlap_hours",
    type=RealRange(min=0, max=720),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long the old key works on; 0 ends it now.",
)
@days_option
@json_option
def rotate(id: str, overlap_hours: float, days: float | None, as_json: bool) -> None:
    """Make a key in the place of another. It is printed once and stored nowhere."""
    from ogel.features.keys.key import MadeKey

    body = {"overlap_seconds": round(overlap_hours * 3600), "expires_at": _after(days)}
    with api() as ogel:
        answer = ogel.request("POST", f"/api/keys/{id}/rotate", body=body)
    if as_json:
        say(answer)
    else:
        made = answer.as_(MadeKey)
        click.echo(f"{made.id}\n{made.key}")


@command.command("revoke")
@click.argument("id", type=identifier)
def revoke(id: str) -> None:
    """End a key at once."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/keys/{id}")
    click.echo(f"{id} revoked")


def _after(days: float | None) -> datetime | None:
    return utc_now() + timedelta(days=days) if days else None


def _rights(key: ApiKey) -> str:
    return "(publishable)" if key.kind == "publishable" else " ".join(key.scopes)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "expired" if key.expires_at <= utc_now() else f"until {rfc3339(key.expires_at)}"
