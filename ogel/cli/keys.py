"""`ogel keys`"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask, json_option, operator
from ogel.cli.tables import Column, show_table
from ogel.kernel.clock import rfc3339, utc_now

if TYPE_CHECKING:
    from ogel.features.keys.store import ApiKey

_COLUMNS = [
    Column("id"),
    Column("begins with"),
    Column("state"),
    Column("name", gives=True),
    Column("scopes"),
]


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="events:write, webhooks:*, * …; repeat it."
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=36500),
    help="Expires after this; never without it.",
)
@json_option
def create(name: str, scopes: tuple[str, ...], days: float | None, as_json: bool) -> None:
    """Make a key. It is printed once and stored nowhere."""
    expires_at = utc_now() + timedelta(days=days) if days else None
    id, key = ask(lambda ogel: ogel.keys.create(operator(), name, list(scopes), expires_at))
    if as_json:
        click.echo(json.dumps({"id": id, "key": key, "scopes": list(scopes)}))
    else:
        click.echo(f"{id}\n{key}")


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """All keys, revoked ones too; the keys themselves are not known to Ogel."""
    import msgspec

    keys = ask(lambda ogel: ogel.keys.list())
    if as_json:
        click.echo(msgspec.json.encode(keys).decode())
        return
    rows = [(key.id, f"{key.hint}…", _state(key), key.name, " ".join(key.scopes)) for key in keys]
    show_table(_COLUMNS, rows, empty="no keys")


@command.command("revoke")
@click.argument("id")
def revoke(id: str) -> None:
    """End a key at once."""
    ask(lambda ogel: ogel.keys.revoke(operator(), id))
    click.echo(f"{id} revoked")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "expired" if key.expires_at <= utc_now() else f"until {rfc3339(key.expires_at)}"
