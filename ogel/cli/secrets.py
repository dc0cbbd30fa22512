"""`ogel secrets`"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from ogel.cli.operator import ask, json_option, operator, within
from ogel.cli.tables import Column, Table, printable
from ogel.runtime.log.terminal import draws

if TYPE_CHECKING:
    from ogel.runtime.secrets.sealed import KeyUse, Resealed, SealedValues

Answer = TypeVar("Answer")

_MEANS = {
    "newest": "the present OGEL_SECRET",
    "former": "in OGEL_SECRET_OLD",
    "unknown": "no secret that is set: cannot be read",
    "unnamed": "sealed before keys had ids",
}

_TABLE: Table[KeyUse] = Table(
    "nothing is sealed yet",
    [
        Column("sealed", lambda use: use.column),
        Column("key"),
        Column("values", lambda use: use.count, right=True),
        Column("state", lambda use: _MEANS[use.state]),
    ],
)


@click.group("secrets")
def command() -> None:
    """Seal stored secrets under a new OGEL_SECRET, without downtime.

    \b
    1. Add the new secret to OGEL_SECRET_OLD of every process and restart them,
       one by one: all can read what it will seal.
    2. Make it OGEL_SECRET, put the former one into OGEL_SECRET_OLD, and restart
       them again.
    3. Run `ogel secrets rotate` with those settings. It may be broken off and run
       again, and nothing has to stop for it.
    4. When `ogel secrets status` shows the present OGEL_SECRET only, take the
       former one out of OGEL_SECRET_OLD.
    """


@command.command("status")
@json_option
def status(as_json: bool) -> None:
    """How many stored values are sealed under which key; exit 1 when some cannot be read."""
    uses = _ask(lambda values: values.status())
    if as_json:
        click.echo(json.dumps([msgspec.structs.asdict(use) for use in uses]))
    else:
        _TABLE.show(uses)
    sys.exit(1 if any(use.state == "unknown" for use in uses) else 0)


@command.command("rotate")
@json_option
def rotate(as_json: bool) -> None:
    """Seal every stored value again that is not under the present OGEL_SECRET; exit 1 when some cannot be read."""
    done, uses = _ask(lambda values: _rotate(values, shows=not as_json and draws(sys.stderr)))
    counts = {"resealed": done.resealed, "unreadable": done.unreadable}
    ask(lambda ogel: ogel.audit_log.record(operator(), "secret.rotate", "secret", "all", counts))
    if as_json:
        uses_shown = [msgspec.structs.asdict(use) for use in uses]
        click.echo(json.dumps({**msgspec.structs.asdict(done), "status": uses_shown}))
    else:
        click.echo(f"{done.resealed} sealed again, {done.unreadable} cannot be read")
        for place in done.unreadable_ids:
            click.echo(f"  {printable(place)}")
        _TABLE.show(uses)
    sys.exit(1 if done.unreadable else 0)


async def _rotate(values: SealedValues, shows: bool) -> tuple[Resealed, Sequence[KeyUse]]:
    from ogel.runtime.secrets.sealed import Resealed

    done = Resealed()
    total = sum(use.count for use in await values.status() if use.state != "newest")
    async for done in values.reseal():
        if shows:
            click.echo(f"\r{done.resealed + done.unreadable} of {total}", nl=False, err=True)
    if shows and total:
        click.echo(err=True)
    return done, await values.status()


def _ask(question: Callable[[SealedValues], Awaitable[Answer]]) -> Answer:
    from ogel.operators import sealed_values

    return within(sealed_values, question)
