"""`ogel cleanup`"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ogel.cli.operator import api, json_option, say, say_json
from ogel.cli.progress import Progress, waiting
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import both, moment, relative
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Invalid

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.cleanup.service import Due, PurgeInfo
    from ogel.features.cleanup.store import PurgeRun

LOOK_SECONDS = 0.2
_TABLE: Table[PurgeInfo] = Table(
    "nothing is ever deleted",
    [
        Column("kind"),
        Column("keeps", lambda purge: f"{purge.retention_days:g} d", right=True),
        Column("due now", lambda purge: _number(purge), right=True),
        Column("runs", lambda purge: purge.cron or "by hand"),
        Column("last run", lambda purge: _last_run(purge)),
        Column("deleted", lambda purge: purge.last_run and purge.last_run.deleted, right=True),
        Column("deletes", gives=True),
    ],
)


@click.group("cleanup")
def command() -> None:
    """What is forgotten when, how much of it is due; and forget it now."""


@command.command("list")
@json_option
def list_purges(as_json: bool) -> None:
    """Every kind: how long it is kept, how much is past that, and how its last run went."""
    from ogel.features.cleanup.service import PurgeInfo

    with api() as ogel:
        purges = ogel.whole("/api/cleanup")
    if as_json:
        say_json({"items": purges.items, "next": None})
    else:
        _TABLE.show(purges.as_(PurgeInfo))


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
    from ogel.features.cleanup.service import Due

    days = None if before is None else (utc_now() - before).total_seconds() / 86_400
    body = {"dry_run": dry_run, "older_than_days": days}
    with api() as ogel:
        try:
            answer = ogel.request("POST", f"/api/cleanup/{quote(kind, safe='')}/run", body=body)
        except Invalid as error:
            raise click.UsageError(error.message.replace("body.older_than_days:", "--older-than")) from None
        due = answer.as_(Due)
        if not dry_run:
            _ended(ogel, due, wait, as_json)
        elif as_json:
            say(answer)
        else:
            click.echo(f"{_number(due)} would be deleted: {_said(due)}")


def _ended(ogel: Client, due: Due, wait: bool, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{_number(due)} to delete: {_said(due)}", err=True)
    with waiting(f"{due.kind} goes on; `ogel cleanup list` says how far it is"):
        run = _followed(ogel, due) if wait else None
    if as_json:
        say_json(due if run is None else run)
    elif run is None:
        click.echo(f"{due.job} will delete them")
    else:
        failure = "" if run.error is None else f": {run.error}"
        click.echo(printable(f"{due.kind} {run.status}{failure}: {run.deleted} deleted"))
    sys.exit(1 if run is not None and run.status != "completed" else 0)


def _followed(ogel: Client, due: Due) -> PurgeRun:
    """The run once it is over. Another may have begun by then, if it was over quickly."""
    from ogel.features.cleanup.service import PurgeInfo

    progress = Progress(due.kind)
    while True:
        [purge] = [each for each in ogel.whole("/api/cleanup").as_(PurgeInfo) if each.kind == due.kind]
        run = purge.last_run
        assert run is not None
        progress.show(run.deleted, None if run.total_is_least else run.total)
        if run.status != "running" or run.job != due.job:
            progress.end()
            return run
        time.sleep(LOOK_SECONDS)


def _last_run(purge: PurgeInfo) -> str | None:
    last = purge.last_run
    return None if last is None else f"{last.status} {relative(last.finished_at or last.started_at)}"


def _number(of: Due | PurgeInfo) -> str:
    return f"{of.due} or more" if of.due_is_least else str(of.due)


def _said(due: Due) -> str:
    return f"{due.kind} from before {both(due.before)}"
