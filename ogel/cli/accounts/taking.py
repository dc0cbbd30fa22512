"""What imports share: users are sent in batches, and what is not taken is told at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ogel.cli.operator import api, say_json
from ogel.cli.progress import Progress
from ogel.cli.tables import Column, Table
from ogel.kernel.errors import OgelError

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.accounts.imports.imported import ImportReport, NotTaken

Json = dict[str, Any]
# What one request takes at most, a small part of which most batches are.
_MOST_BYTES = 2 * 1024 * 1024
BATCH = 100

_NOT_TAKEN: Table[NotTaken] = Table(
    "everything was taken",
    [Column("user", lambda each: each.user_id), Column("what"), Column("reason", gives=True)],
)


def take(batches: Iterable[tuple[Sequence[Json], str]], already: list[NotTaken], as_json: bool) -> None:
    """
    Each batch comes with what `--after` takes to go on behind it; `already` gets what the source could not give. Exit 1
    when something was not taken.
    """
    from ogel.features.accounts.imports.imported import ImportReport

    total, behind = ImportReport(0, 0, already), None
    progress = Progress("import")
    try:
        with api(seals=True) as ogel:
            for users, after in batches:
                for part in _parts(users):
                    total = _plus(total, _sent(ogel, part))
                    progress.show(total.taken + total.known, None)
                behind = after
    except (KeyboardInterrupt, OgelError):
        if behind is not None:
            click.echo(f"\ngo on with --after {behind}", err=True)
        raise
    finally:
        progress.end()
    if as_json:
        say_json(total)
    else:
        click.echo(f"{total.taken} taken, {total.known} were there already")
        _NOT_TAKEN.show(total.not_taken)
    sys.exit(1 if total.not_taken else 0)


def _sent(ogel: Client, users: Sequence[Json]) -> ImportReport:
    from ogel.features.accounts.imports.imported import ImportReport

    return ogel.request("POST", "/api/users/import", body={"users": users}).as_(ImportReport)


def _plus(one: ImportReport, other: ImportReport) -> ImportReport:
    from ogel.features.accounts.imports.imported import ImportReport

    not_taken = [*one.not_taken, *other.not_taken]
    return ImportReport(one.taken + other.taken, one.known + other.known, not_taken)


def _parts(users: Sequence[Json]) -> Iterator[Sequence[Json]]:
    """Splits a batch whose metadata are large."""
    import msgspec

    part: list[Json] = []
    size = 0
    for user in users:
        bytes_of_it = len(msgspec.json.encode(user))
        if part and size + bytes_of_it > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(user)
        size += bytes_of_it
    if part:
        yield part
