"""`ogel audit`"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from ogel.cli.client import decoded
from ogel.cli.operator import (
    after_option,
    api,
    json_option,
    limit_option,
    say_json,
    say_list,
)
from ogel.cli.progress import Progress
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import absolute, both, moment
from ogel.kernel.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from ogel.features.audit.store import AuditRecord
    from ogel.features.audit.verify import ChainVerdict

# Between two lines of a verification, each of which is about a thousand records.
VERIFYING_SECONDS = 300.0
# Of an export; a record is never so long.
LONGEST_LINE = 4 * 1024 * 1024
_TABLE: Table[AuditRecord] = Table(
    "no records",
    [
        Column("seq", right=True),
        Column("time", lambda each: absolute(each.created_at)),
        Column("actor"),
        Column("action"),
        Column("on", lambda each: f"{each.resource_type} {each.resource_id}"),
        Column("from", lambda each: each.ip_address),
        Column("id"),
    ],
)


def word(value: str) -> str:
    """An option's type: any text that can stand in a record."""
    if not value or len(value) > 200 or not value.isprintable():
        raise click.BadParameter("takes 1 to 200 printable characters")
    return value


@click.group("audit")
def command() -> None:
    """List, verify and export the audit log."""


@command.command("list")
@click.option("--user", "user_id", type=click.UUID, help="What a user did, or what was done about them.")
@click.option("--actor", type=word, metavar="WHO", help="Such as admin, key_…, or cli:<user>.")
@click.option("--action", type=word, metavar="ACTION", help="Such as webhook.create.")
@click.option(
    "--type", "resource_type", type=word, metavar="TYPE", help="Of what was changed: webhook, key, …"
)
@click.option("--resource", "resource_id", type=word, metavar="ID", help="What was changed.")
@click.option("--since", type=moment, metavar="TIME", help="Then or later: RFC 3339, or an age such as 2h.")
@click.option("--until", type=moment, metavar="TIME", help="Before then.")
@after_option
@limit_option
@json_option
def list_records(
    limit: int, after: str | None, as_json: bool, **filters: str | UUID | datetime | None
) -> None:
    """Records, newest first. Those without a seq are not sealed yet."""
    from ogel.features.audit.store import AuditRecord

    with api() as ogel:
        records = ogel.listed("/api/audit-logs", limit, after, filters)
    say_list(records, as_json, AuditRecord, _TABLE.show)


@command.command("verify")
@click.option(
    "--file",
    "export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    help="An export instead of the suite's log (`-`: stdin); needs neither a server nor OGEL_SECRET.",
)
@json_option
def verify(export: Path | None, as_json: bool) -> None:
    """
    Whether every record is what was written, and none is missing; exit 1 and the first that is wrong.

    Keep the head it prints somewhere else: whoever has the database and OGEL_SECRET can compute a chain anew, but not
    one with that head.
    """
    progress = Progress("audit verify")
    verdict = _of_suite(progress) if export is None else _of_file(export, progress)
    progress.end()
    if as_json:
        say_json(verdict)
    else:
        _show(verdict)
    sys.exit(0 if verdict.ok else 1)


@command.command("export")
@click.option("--since", type=moment, required=True, metavar="TIME", help="RFC 3339, or an age such as 7d.")
@click.option("--until", type=moment, metavar="TIME", help="Before then; without it, all that is sealed.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="A file, which appears when it is complete; stdout without it.",
)
def export(since: datetime, until: datetime | None, output: Path | None) -> None:
    """Sealed records as NDJSON, oldest first; `ogel audit verify --file` checks it wherever it is."""
    if output is None:
        count = _write(since, until, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        count = _to_file(since, until, output)
    click.echo(f"{count} records exported", err=True)


def _of_suite(progress: Progress) -> ChainVerdict:
    """The last line of the answer has the verdict; those before it say how far it is."""
    from ogel.features.audit.routes import Checked

    verdict = None
    with (
        api(seals=True) as ogel,
        ogel.streamed("GET", "/api/audit-logs/verification", timeout_seconds=VERIFYING_SECONDS) as answer,
    ):
        for line in _split(answer.pieces):
            step = decoded(line, Checked)
            progress.show(step.checked, step.total)
            verdict = step.verdict
    if verdict is None:
        raise Unavailable("The answer broke off; ask again.")
    return verdict


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _of_file(path: Path, progress: Progress) -> ChainVerdict:
    from ogel.features.audit.verify import verify_lines

    with click.open_file(str(path), "rb") as file:
        return verify_lines(_lines(file), progress.show)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """One that is too long is cut, and is no record then."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _write(since: datetime, until: datetime | None, file: IO[bytes]) -> int:
    progress, count = Progress("audit export"), 0
    with (
        api() as ogel,
        ogel.streamed("GET", "/api/audit-logs/export", {"since": since, "until": until}) as answer,
    ):
        total = int(answer.headers["x-total-count"])
        for piece in answer.pieces:
            file.write(piece)
            count += piece.count(b"\n")
            progress.show(count, total)
    progress.end()
    if count < total:
        raise Unavailable(f"The answer broke off after {count} of {total} records; ask again.")
    return count


def _to_file(since: datetime, until: datetime | None, output: Path) -> int:
    """Beside it first: what stands there is complete, or what stood there before."""
    partial = output.with_name(f"{output.name}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            count = _write(since, until, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, output)
    except OSError as error:
        raise Invalid(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _show(verdict: ChainVerdict) -> None:
    if verdict.records:
        click.echo(
            f"{verdict.records} records are as they were sealed, {verdict.first_seq} to {verdict.last_seq}"
        )
    else:
        click.echo("no sealed records")
    if verdict.unsealed:
        click.echo(f"{verdict.unsealed} are not sealed yet, the oldest from {both(verdict.unsealed_since)}")
    if (broken := verdict.broken) is None:
        click.echo(printable(f"head {verdict.last_seq} {verdict.head}"))
        return
    named = "" if broken.id is None else f" ({broken.id})"
    click.secho(printable(f"BROKEN at {broken.seq}{named}: {broken.fault}: {broken.detail}"), fg="red")
