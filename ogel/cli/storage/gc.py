"""`ogel storage gc`"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say
from ogel.cli.progress import LOOK_SECONDS, Progress, waiting
from ogel.cli.sizes import size

if TYPE_CHECKING:
    from ogel.cli.client import Client

_MOST_SECONDS = 120.0


@click.command("gc")
@click.option("--wait/--no-wait", default=True, help="Until it is deleted, two minutes at most.")
@json_option
def command(wait: bool, as_json: bool) -> None:
    """
    Delete now what nobody wants any more.

    A worker of the queue `cleanup` does it each minute anyway. What was replaced or deleted stays for ten minutes,
    because somebody may be reading it. Exit 1 when some of it was not deleted in time.
    """
    from ogel.features.storage.upkeep.service import Due

    with api() as ogel:
        answer = ogel.request("POST", "/api/storage/gc")
        due = answer.as_(Due)
        if as_json:
            say(answer)
        else:
            click.echo(f"{due.blobs} to delete ({size(due.bytes)})", err=True)
        with waiting("a worker goes on with it; `ogel storage usage` says how much is left"):
            left = _left(ogel, due.blobs) if wait and due.blobs else 0
    if left:
        click.echo("not all of it is gone: does a worker of the queue `cleanup` run?", err=True)
    sys.exit(1 if left else 0)


def _left(ogel: Client, due: int) -> bool:
    """Whether something that is due is left when the time is over."""
    from ogel.features.storage.usage.service import StorageUsage

    progress, ends_at = Progress("storage gc"), time.monotonic() + _MOST_SECONDS
    late = True
    while late and time.monotonic() < ends_at:
        late = ogel.request("GET", "/api/storage/usage").as_(StorageUsage).passing.late_seconds > 0
        progress.show(0 if late else due, due)
        if late:
            time.sleep(LOOK_SECONDS)
    progress.end()
    return late
