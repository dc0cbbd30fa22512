"""`ogel queues`"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask, identifier, json_option, operator, say_json
from ogel.cli.tables import Column, show_table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.jobs.job import QueueInfo
    from ogel.operators import Services

WATCH_SECONDS = 2.0
_COLUMNS = [
    Column("queue"),
    Column("state"),
    Column("pending", right=True),
    Column("held", right=True),
    Column("running", right=True),
    Column("dead", right=True),
    Column("oldest", right=True),
    Column("workers", right=True),
]


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

    async def show(ogel: Services) -> None:
        while True:
            queues = await ogel.job_service.queues()
            if watch and not as_json:
                click.clear()
            say_json({"items": queues}) if as_json else _show(queues)
            if not watch:
                return
            await asyncio.sleep(WATCH_SECONDS)

    with suppress(KeyboardInterrupt):  # the way to end it
        ask(show)


@command.command("pause")
@click.argument("name", type=identifier)
def pause(name: str) -> None:
    """No worker begins a job of it until it is resumed; those that run end as they end."""
    ask(lambda ogel: ogel.job_service.pause(operator(), name))
    click.echo(f"{name} paused")


@command.command("resume")
@click.argument("name", type=identifier)
def resume(name: str) -> None:
    """Go on."""
    ask(lambda ogel: ogel.job_service.resume(operator(), name))
    click.echo(f"{name} resumed")


def _show(queues: list[QueueInfo]) -> None:
    rows = [
        (
            queue.name,
            _state(queue),
            queue.pending,
            queue.held,
            queue.running,
            queue.dead,
            f"{queue.oldest_seconds:.0f} s",
            None if queue.workers is None else len(queue.workers),
        )
        for queue in queues
    ]
    show_table(_COLUMNS, rows, empty="no queues")


def _state(queue: QueueInfo) -> str:
    if queue.paused_at is not None:
        return f"paused {relative(queue.paused_at)}"
    return {"ok": "ok", "soft": "long", "hard": "full"}[queue.level]
