"""`ogel databases migrate`"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, identifier, json_option, say, say_one
from ogel.cli.progress import waiting
from ogel.cli.tables import Column, Table, printable
from ogel.kernel.errors import Invalid, TooLarge
from ogel.runtime.log.terminal import draws

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client
    from ogel.features.databases.migrations.migration import Plan, PlannedFile, Run

LOOK_SECONDS = 0.3
_FILES: Table[PlannedFile] = Table(
    "no files",
    [
        Column("file", lambda file: file.name, gives=True),
        Column("state"),
        Column("checksum", lambda file: file.checksum[:12]),
    ],
)


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
    from ogel.features.databases.migrations.migration import Plan

    files = _read(folder)
    # Without a worker, whoever answers opens the database, with a password that is sealed.
    with api(seals=dry_run) as ogel:
        try:
            body = {"files": files, "dry_run": dry_run}
            begun = ogel.request("POST", f"/api/databases/{name}/migrations", body=body)
        except (Invalid, TooLarge) as error:
            raise click.UsageError(_named(error.message, files)) from None
        if dry_run:
            say_one(begun, as_json, Plan, _show_plan)
        else:
            _run(ogel, begun, wait, as_json)


def _read(folder: Path) -> list[dict[str, str]]:
    import msgspec

    from ogel.features.databases.migrations.migration import MOST_BYTES, MOST_FILES, MigrationFile
    from ogel.runtime.http.input import invalid

    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise click.UsageError(f"there is no .sql file in {folder}")
    if len(paths) > MOST_FILES or sum(path.stat().st_size for path in paths) > MOST_BYTES:
        raise click.UsageError(f"{folder} holds more than {MOST_FILES} files or {MOST_BYTES} bytes")
    files: list[dict[str, str]] = []
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
    return files


def _run(ogel: Client, begun: Answer, wait: bool, as_json: bool) -> None:
    from ogel.features.databases.migrations.migration import Run

    run = begun.as_(Run)
    with waiting(f"{run.id} goes on by itself."):
        answer = _followed(ogel, begun) if wait else begun
    run = answer.as_(Run)
    if as_json:
        say(answer)
    else:
        _show(run)
    sys.exit(1 if wait and run.status != "succeeded" else 0)


def _followed(ogel: Client, answer: Answer) -> Answer:
    """On a terminal on one line, elsewhere a line for each news; both on stderr."""
    from ogel.features.databases.migrations.migration import Run

    overwrites = draws(sys.stderr)
    said = ""
    while (run := answer.as_(Run)).status == "running":
        news = _news(run)
        if news != said:
            said = news
            click.echo(f"\r\x1b[K{news}" if overwrites else news, nl=not overwrites, err=True)
        time.sleep(LOOK_SECONDS)
        answer = ogel.request("GET", f"/api/databases/{run.database}/migrations/{run.id}")
    if overwrites:
        click.echo("\r\x1b[K", nl=False, err=True)
    return answer


def _news(run: Run) -> str:
    doing = f"waiting: {run.waiting}" if run.waiting else run.current or "waiting for a worker"
    return f"{run.done} of {run.total}  {printable(doing)}"


def _show(run: Run) -> None:
    click.echo(f"{run.id} {run.status}: {run.done} of {run.total} are applied, {run.applied} by this run")
    if run.error is not None:
        place = ":".join(str(part) for part in (run.error.file, run.error.line) if part is not None)
        state = f" (SQLSTATE {run.error.sqlstate})" if run.error.sqlstate else ""
        click.echo(printable(f"{place + ': ' if place else ''}{run.error.message}{state}"))


def _show_plan(plan: Plan) -> None:
    _FILES.show(plan.files)
    for name in plan.unknown:
        click.echo(printable(f"{name} was applied, and is not in the folder"))


def _named(message: str, files: list[dict[str, str]]) -> str:
    """Names files as the folder does."""
    for place, file in enumerate(files):
        message = message.replace(f"body.files[{place}].", f"{file['name']}: ")
    return message.replace("body.", "")
