"""`ogel queues`"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, identifier, json_option, say_json
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.jobs.job import QueueInfo

WATCH_SECONDS = 2.0
_TABLE: Table[QueueInfo] = Table(
    "no queues",
    [
        Column("queue", lambda queue: queue.name),
        Column("state", lambda queue: _state(queue)),
        Column("pending", right=True),
        Column("held", right=True),
        Column("running", right=True),
        Column("dead", right=True),
        Column("oldest", lambda queue: f"{queue.oldest_seconds:.0f} s", right=True),
        Column("workers", lambda queue: None if queue.workers is None else len(queue.workers), right=True),
    ],
)


@click.group("queues", invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@json_option
@click.pass_context
def command(context: click.Context, watch: bool, as_json: bool) -> None:
    """How full every queue is; pause and resume them."""
    if context.invoked_subcommand is not None:
        if watch or as_json:
            raise click.UsageError("--watch and --json go with the list alone")
        return
    from ogel.features.jobs.job import QueueInfo

    with suppress(KeyboardInterrupt), api() as ogel:  # the way to end it
        while True:
            queues = ogel.whole("/api/queues")
            if watch and not as_json:
                click.clear()
            say_json({"items": queues.items}) if as_json else _TABLE.show(queues.as_(QueueInfo))
            if not watch:
                return
            time.sleep(WATCH_SECONDS)


@command.command("pause")
@click.argument("name", type=identifier)
def pause(name: str) -> None:
    """No worker begins a job of it until it is resumed; those that run end as they end."""
    with api() as ogel:
        ogel.request("POST", f"/api/queues/{name}/pause")
    click.echo(f"{name} paused")


@command.command("resume")
@click.argument("name", type=identifier)
def resume(name: str) -> None:
    """Go on."""
    with api() as ogel:
        ogel.request("POST", f"/api/queues/{name}/resume")
    click.echo(f"{name} resumed")


def _state(queue: QueueInfo) -> str:
    if queue.paused_at is not None:
        return f"paused {relative(queue.paused_at)}"
    return {"ok": "ok", "soft": "long", "hard": "full"}[queue.level]
