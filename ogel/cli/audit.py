"""`ogel audit`"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import click

from ogel.cli.operator import (
    after_option,
    api,
    json_option,
    limit_option,
    operator,
    say_json,
    say_list,
    within,
)
from ogel.cli.progress import Progress
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import absolute, both, moment
from ogel.kernel.errors import Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from ogel.features.audit.store import AuditRecord
    from ogel.features.audit.verify import ChainVerdict
    from ogel.operators import Services

Answer = TypeVar("Answer")

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
    help="An export instead of the database (`-`: stdin); needs neither a server nor OGEL_SECRET.",
)
@json_option
def verify(export: Path | None, as_json: bool) -> None:
    """
    Whether every record is what was written, and none is missing; exit 1 and the first that is wrong.

    Keep the head it prints somewhere else: whoever has the database and OGEL_SECRET can compute a chain anew, but not
    one with that head.
    """
    progress = Progress("audit verify")
    verdict = _of_database(progress) if export is None else _of_file(export, progress)
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
        count = _ask_with_secret(lambda ogel: _write(ogel, since, until, sys.stdout.buffer))
        sys.stdout.buffer.flush()
    else:
        count = _to_file(since, until, output)
    click.echo(f"{count} records exported", err=True)


def _of_database(progress: Progress) -> ChainVerdict:
    return _ask_with_secret(lambda ogel: ogel.audit_log.verify(progress.show))


def _of_file(path: Path, progress: Progress) -> ChainVerdict:
    from ogel.features.audit.verify import verify_lines

    with click.open_file(str(path), "rb") as file:
        return verify_lines(_lines(file), progress.show)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """One that is too long is cut, and is no record then."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _ask_with_secret(question: Callable[[Services], Awaitable[Answer]]) -> Answer:
    from ogel.operators import sealing_services

    return within(sealing_services, question)


async def _write(ogel: Services, since: datetime, until: datetime | None, file: IO[bytes]) -> int:
    service = ogel.audit_log
    piece = await service.begin_export(operator(), since, until)
    progress, count = Progress("audit export"), 0
    async for lines in service.lines(piece):
        file.writelines(lines)
        count += len(lines)
        progress.show(count, piece.length)
    progress.end()
    return count


def _to_file(since: datetime, until: datetime | None, output: Path) -> int:
    """Beside it first: what stands there is complete, or what stood there before."""
    partial = output.with_name(f"{output.name}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            count = _ask_with_secret(lambda ogel: _write(ogel, since, until, file))
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
