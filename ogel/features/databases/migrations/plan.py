"""Determines which files are still to be applied, and whether that is possible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ogel.features.databases.migrations.migration import (
    MOST_BYTES,
    FileState,
    MigrationFile,
    Plan,
    PlannedFile,
)
from ogel.kernel.errors import FieldError, Invalid, TooLarge
from ogel.runtime.database.registered import Applied
from ogel.runtime.database.sqlfile import SqlFile

_NUMBERED = re.compile(r"[0-9]{1,14}_")


def in_order(files: Sequence[MigrationFile]) -> list[SqlFile]:
    """Sorts files by number. Raises Invalid, TooLarge."""
    numbers: dict[int, str] = {}
    size = 0
    for place, file in enumerate(files):
        number = number_of(file.name)
        if number in numbers:
            raise Invalid.field(
                f"body.files[{place}].name", f"has the number of {numbers[number]}; each file has its own"
            )
        numbers[number] = file.name
        size += len(file.sql.encode())
    if size > MOST_BYTES:
        message = f"have {size} bytes together; a run takes {MOST_BYTES} at most"
        raise TooLarge(f"body.files {message}.", errors=(FieldError("body.files", message),))
    ordered = sorted(enumerate(files), key=lambda each: number_of(each[1].name))
    return [_checked(place, SqlFile(file.name, file.sql.encode())) for place, file in ordered]


def number_of(name: str) -> int:
    return int(name.partition("_")[0])


def edited(checksums: Mapping[str, str], applied: Sequence[Applied]) -> tuple[str, str] | None:
    """The first file whose number was applied and was another one then, and what to say of it; `checksums` by name."""
    was = {each.name: each.checksum for each in applied}
    by_number = _by_number(was)
    for name in sorted(checksums, key=number_of):
        if was.get(name, checksums[name]) != checksums[name]:
            return name, "was changed after it was applied; restore it and add a new one"
        if name not in was and (other := by_number.get(number_of(name))) is not None:
            return name, f"has the number of {other}, which is applied; give it one of its own"
    return None


def plan(database: str, files: Sequence[SqlFile], applied: Sequence[Applied]) -> Plan:
    was = {each.name: each.checksum for each in applied}
    by_number = _by_number(was)

    def state(file: SqlFile) -> FileState:
        if file.name in was:
            return "applied" if was[file.name] == file.checksum else "edited"
        return "edited" if number_of(file.name) in by_number else "missing"

    return Plan(
        database,
        [PlannedFile(file.name, file.checksum, state(file)) for file in files],
        sorted(was.keys() - {file.name for file in files}),
    )


def _by_number(names: Iterable[str]) -> Mapping[int, str]:
    """Of those that have one that a file can have: the log is in a database that is not ours."""
    return {number_of(name): name for name in names if _NUMBERED.match(name)}


def _checked(place: int, file: SqlFile) -> SqlFile:
    if file.breaks_off:
        raise Invalid.field(
            f"body.files[{place}].sql",
            "does not end in a semicolon; outside a transaction its end would be left out",
        )
    return file
