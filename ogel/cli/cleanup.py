"""`ogel cleanup`"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask, json_option, operator, say_json
from ogel.cli.progress import Progress
from ogel.cli.tables import Column, printable, show_table
from ogel.cli.times import both, moment, relative
from ogel.kernel.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from ogel.features.cleanup.service import CleanupService, Due, PurgeInfo
    from ogel.features.cleanup.store import Run
    from ogel.operators import Services

LOOK_SECONDS = 0.2
_COLUMNS = [
    Column("kind"),
    Column("keeps", right=True),
    Column("due now", right=True),
    Column("runs"),
    Column("last run"),
    Column("deleted", right=True),
    Column("deletes", gives=True),
]


@click.group("cleanup")
def command() -> None:
    """What is forgotten when, how much of it is due; and forget it now."""


@command.command("list")
@json_option
def list_purges(as_json: bool) -> None:
    """Every kind: how long it is kept, how much is past that, and how its last run went."""
    purges = ask(lambda ogel: ogel.cleanup.service.list())
    if as_json:
        say_json({"items": purges, "next": None})
    else:
        show_table(_COLUMNS, [_row(purge) for purge in purges], empty="nothing is ever deleted")


@command.command("run")
@click.argument("kind")
@click.option("--dry-run", is_flag=True, help="Count, and delete nothing.")
@click.option(
    "--older-than",
    "before",
    type=moment,
    metavar="AGE",
    help="Such as 7d, or a time; what is past the kind's retention without it.",
)
@click.option("--wait/--no-wait", default=True, help="Until a worker has deleted all of it.")
@json_option
def run(kind: str, dry_run: bool, before: datetime | None, wait: bool, as_json: bool) -> None:
    """
    Delete what is past its retention now.

    A worker of the queue `cleanup` does it, whatever becomes of this command. Exit 0 when it is done, or was not
    waited for.
    """
    try:
        if dry_run:
            _show_due(ask(lambda ogel: ogel.cleanup.service.dry_run(kind, before)), as_json)
        else:
            _run(kind, before, wait, as_json)
    except Invalid as error:
        raise click.UsageError(error.message.replace("body.older_than_days:", "--older-than")) from None


def _run(kind: str, before: datetime | None, wait: bool, as_json: bool) -> None:
    begun: list[Due] = []

    async def begin(ogel: Services) -> Run | None:
        due = await ogel.cleanup.service.run(operator(), kind, before)
        begun.append(due)
        if not as_json:
            click.echo(f"{_number(due)} to delete: {_said(due)}", err=True)
        return await _follow(ogel.cleanup.service, due) if wait else None

    try:
        ended = ask(begin)
    except (KeyboardInterrupt, Unavailable) as error:
        if begun:
            click.echo(f"\n{kind} goes on; `ogel cleanup list` says how far it is", err=True)
        if isinstance(error, Unavailable):
            raise
        sys.exit(130)
    if as_json:
        say_json(begun[0] if ended is None else ended)
    elif ended is None:
        click.echo(f"{begun[0].job} will delete them")
    else:
        failure = "" if ended.error is None else f": {ended.error}"
        click.echo(printable(f"{kind} {ended.status}{failure}: {ended.deleted} deleted"))
    sys.exit(1 if ended is not None and ended.status != "completed" else 0)


async def _follow(service: CleanupService, due: Due) -> Run:
    """Returns the run once it is over. Another may have begun by then, if it was over quickly."""
    progress = Progress(due.kind)
    while True:
        run = await service.last_run(due.kind)
        assert run is not None
        progress.show(run.deleted, None if run.total_is_least else run.total)
        if run.status != "running" or run.job != due.job:
            progress.end()
            return run
        await asyncio.sleep(LOOK_SECONDS)


def _show_due(due: Due, as_json: bool) -> None:
    if as_json:
        say_json(due)
    else:
        click.echo(f"{_number(due)} would be deleted: {_said(due)}")


def _row(purge: PurgeInfo) -> tuple[object, ...]:
    last = purge.last_run
    return (
        purge.kind,
        f"{purge.retention_days:g} d",
        _number(purge),
        purge.cron or "by hand",
        None if last is None else f"{last.status} {relative(last.finished_at or last.started_at)}",
        None if last is None else last.deleted,
        purge.deletes,
    )


def _number(of: Due | PurgeInfo) -> str:
    return f"{of.due} or more" if of.due_is_least else str(of.due)


def _said(due: Due) -> str:
    return f"{due.kind} from before {both(due.before)}"
