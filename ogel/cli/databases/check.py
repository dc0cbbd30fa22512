"""`ogel databases check`"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ogel.cli.databases.list import TABLE
from ogel.cli.numbers import RealRange
from ogel.cli.operator import api, identifier, json_option, say
from ogel.kernel.errors import Unavailable

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client

LOOK_SECONDS = 0.2


@click.command("check")
@click.argument("name", type=identifier)
@click.option(
    "--seconds", type=RealRange(1, 600), default=60.0, show_default=True, help="To wait for a worker."
)
@json_option
def command(name: str, seconds: float, as_json: bool) -> None:
    """Look at one now and say how it is; exit 0 when it answers, 1 when it does not."""
    from ogel.features.databases.registry.database import RegisteredDatabase

    with api() as ogel:
        answer = _checked(ogel, name, seconds)
    database = answer.as_(RegisteredDatabase)
    if as_json:
        say(answer)
    else:
        TABLE.show([database])
    sys.exit(0 if database.check.state == "reachable" else 1)


def _checked(ogel: Client, name: str, seconds: float) -> Answer:
    from ogel.features.databases.registry.database import RegisteredDatabase

    before = ogel.request("POST", f"/api/databases/{name}/check").as_(RegisteredDatabase)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ogel.request("GET", f"/api/databases/{before.id}")
        if answer.as_(RegisteredDatabase).check.checked_at not in (None, before.check.checked_at):
            return answer
        time.sleep(LOOK_SECONDS)
    raise Unavailable(f"no worker looked at it within {seconds:g} s; does `ogel worker databases` run?")
