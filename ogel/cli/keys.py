"""`ogel keys`"""

from __future__ import annotations

import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from ogel.cli.process import event_loop, settings_beside
from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal

if TYPE_CHECKING:
    from ogel.features.keys.service import KeyService
    from ogel.features.keys.store import ApiKey

Answer = TypeVar("Answer")


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
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def create(name: str, scopes: tuple[str, ...], days: float | None, as_json: bool) -> None:
    """Make a key. It is printed once and stored nowhere."""
    expires_at = utc_now() + timedelta(days=days) if days else None
    id, key = _ask(lambda keys: keys.create(_operator(), name, list(scopes), expires_at))
    if as_json:
        click.echo(json.dumps({"id": id, "key": key, "scopes": list(scopes)}))
    else:
        click.echo(f"{id}\n{key}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_keys(as_json: bool) -> None:
    """All keys, revoked ones too; the keys themselves are not known to Ogel."""
    import msgspec

    keys = _ask(lambda keys: keys.list())
    if as_json:
        click.echo(msgspec.json.encode(keys))
        return
    for key in keys:
        click.echo(f"{key.id}  {key.hint}…  {_state(key):<9}  {key.name}  {' '.join(key.scopes)}")


@command.command("revoke")
@click.argument("id")
def revoke(id: str) -> None:
    """End a key at once."""
    _ask(lambda keys: keys.revoke(_operator(), id))
    click.echo(f"{id} revoked")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "expired" if key.expires_at <= utc_now() else f"until {rfc3339(key.expires_at)}"


def _operator() -> Caller:
    return Caller(Principal(f"cli:{getpass.getuser()}"), request_id=new_id("req"))


def _ask(question: Callable[[KeyService], Awaitable[Answer]]) -> Answer:
    from ogel.platform import key_service
    from ogel.runtime.logging import configure_logging

    settings = settings_beside()
    configure_logging("warning")

    async def ask() -> Answer:
        async with key_service(settings) as keys:
            return await question(keys)

    with event_loop() as runner:
        return runner.run(ask())
