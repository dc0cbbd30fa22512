"""`ogel databases migrate`"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask, identifier, json_option, operator, say_json, within
from ogel.cli.tables import Column, printable, show_table
from ogel.kernel.errors import Invalid, TooLarge, Unavailable
from ogel.runtime.log.terminal import draws

if TYPE_CHECKING:
    from ogel.features.databases.migrations.migration import NewRun, Plan, Run
    from ogel.operators import Services

LOOK_SECONDS = 0.3


@click.command("migrate")
@click.argument("name", type=identifier)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be applied, and change nothing.")
@click.option("--wait/--no-wait", default=True, help="Until the run has ended.")
@json_option
def command(name: str, folder: Path, dry_run: bool, wait: bool, as_json: bool) -> None:
    """
    Apply the SQL files of a folder that a PostgreSQL database lacks.

    Files are named 0001_what_and_why.sql and applied in the order of their numbers, each in a transaction of its own,
    unless it begins with the line `-- outside a transaction`. Exit 0 when all are applied, or were not waited for.
    """
    from ogel.operators import sealing_services

    new = _read(folder, dry_run)
    try:
        if dry_run:
            # The database is asked from here, so its password must be readable here.
            plan = within(sealing_services, lambda ogel: ogel.databases.migrations.plan(name, new))
            _show_plan(plan, as_json)
        else:
            _run(name, new, wait, as_json)
    except (Invalid, TooLarge) as error:
        raise click.UsageError(_named(error.message, new)) from None


def _read(folder: Path, dry_run: bool) -> NewRun:
    import msgspec

    from ogel.features.databases.migrations.migration import MOST_BYTES, MOST_FILES, MigrationFile, NewRun
    from ogel.runtime.http.input import invalid

    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise click.UsageError(f"there is no .sql file in {folder}")
    if len(paths) > MOST_FILES or sum(path.stat().st_size for path in paths) > MOST_BYTES:
        raise click.UsageError(f"{folder} holds more than {MOST_FILES} files or {MOST_BYTES} bytes")
    files = []
    for path in paths:
        try:
            # As it is: with other line ends it would have another checksum elsewhere.
            files.append({"name": path.name, "sql": path.read_bytes().decode()})
            msgspec.convert(files[-1], MigrationFile)
        except UnicodeDecodeError:
            raise click.UsageError(f"{path.name}: is not UTF-8") from None
        except msgspec.ValidationError as error:
            [wrong] = invalid(path.name, error).errors
            raise click.UsageError(f"{wrong.path}: {wrong.message}") from None
    return msgspec.convert({"files": files, "dry_run": dry_run}, NewRun)


def _run(name: str, new: NewRun, wait: bool, as_json: bool) -> None:
    """What is interrupted is only the waiting."""
    begun: list[Run] = []

    async def run(ogel: Services) -> Run:
        begun.append(await ogel.databases.migrations.start(operator(), name, new))
        return await _follow(ogel, begun[0]) if wait else begun[0]

    try:
        ended = ask(run)
    except (KeyboardInterrupt, Unavailable) as error:
        for each in begun:
            click.echo(f"\n{each.id} goes on by itself.", err=True)
        if isinstance(error, Unavailable):
            raise
        sys.exit(130)
    if as_json:
        say_json(ended)
    else:
        _show(ended)
    sys.exit(1 if wait and ended.status != "succeeded" else 0)


async def _follow(ogel: Services, run: Run) -> Run:
    """On a terminal on one line, elsewhere a line for each news; both on stderr."""
    overwrites = draws(sys.stderr)
    said = ""
    while run.status == "running":
        news = _news(run)
        if news != said:
            said = news
            click.echo(f"\r\x1b[K{news}" if overwrites else news, nl=not overwrites, err=True)
        await asyncio.sleep(LOOK_SECONDS)
        run = await ogel.databases.migrations.get(run.database, run.id)
    if overwrites:
        click.echo("\r\x1b[K", nl=False, err=True)
    return run


def _news(run: Run) -> str:
    doing = f"waiting: {run.waiting}" if run.waiting else run.current or "waiting for a worker"
    return f"{run.done} of {run.total}  {printable(doing)}"


def _show(run: Run) -> None:
    click.echo(f"{run.id} {run.status}: {run.done} of {run.total} are applied, {run.applied} by this run")
    if run.error is not None:
        place = ":".join(str(part) for part in (run.error.file, run.error.line) if part is not None)
        state = f" (SQLSTATE {run.error.sqlstate})" if run.error.sqlstate else ""
        click.echo(printable(f"{place + ': ' if place else ''}{run.error.message}{state}"))


def _show_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        say_json(plan)
        return
    rows = [(file.name, file.state, file.checksum[:12]) for file in plan.files]
    show_table([Column("file", gives=True), Column("state"), Column("checksum")], rows, empty="no files")
    for name in plan.unknown:
        click.echo(printable(f"{name} was applied, and is not in the folder"))


def _named(message: str, new: NewRun) -> str:
    """Names files as the folder does."""
    for place, file in enumerate(new.files):
        message = message.replace(f"body.files[{place}].", f"{file.name}: ")
    return message.replace("body.", "")
