"""`ogel databases check`"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from ogel.cli.databases_list import show_databases
from ogel.cli.operator import ask, identifier, json_option, operator, say_json
from ogel.kernel.errors import Unavailable

if TYPE_CHECKING:
    from ogel.features.databases.registry.database import RegisteredDatabase
    from ogel.operators import Services

LOOK_SECONDS = 0.2


@click.command("check")
@click.argument("name", type=identifier)
@click.option(
    "--seconds", type=click.FloatRange(1, 600), default=60.0, show_default=True, help="To wait for a worker."
)
@json_option
def command(name: str, seconds: float, as_json: bool) -> None:
    """Look at one now and say how it is; exit 0 when it answers, 1 when it does not."""
    database = ask(lambda ogel: _checked(ogel, name, seconds))
    if as_json:
        say_json(database)
    else:
        show_databases([database])
    sys.exit(0 if database.check.state == "reachable" else 1)


async def _checked(ogel: Services, name: str, seconds: float) -> RegisteredDatabase:
    before = await ogel.databases.checks.ask(operator(), name)
    try:
        async with asyncio.timeout(seconds):
            while True:
                database = await ogel.databases.registry.get(before.id)
                if database.check.checked_at not in (None, before.check.checked_at):
                    return database
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"no worker looked at it within {seconds:g} s; does `ogel worker databases` run?"
        ) from None
