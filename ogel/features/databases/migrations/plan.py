"""Which files are still to be applied, and whether that is possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.databases.migrations.migration import (
    MOST_BYTES,
    FileState,
    MigrationFile,
    Plan,
    PlannedFile,
)
from ogel.kernel.errors import FieldError, Invalid, TooLarge
from ogel.runtime.databases import Applied
from ogel.runtime.sqlfile import SqlFile


def in_order(files: Sequence[MigrationFile]) -> list[SqlFile]:
    """By number. Raises Invalid, TooLarge."""
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


def edited(checksums: Mapping[str, str], applied: Sequence[Applied]) -> str | None:
    """The first file that was applied and is another one now; `checksums` by name."""
    names = [each.name for each in applied if checksums.get(each.name, each.checksum) != each.checksum]
    return min(names, key=number_of, default=None)


def plan(database: str, files: Sequence[SqlFile], applied: Sequence[Applied]) -> Plan:
    was = {each.name: each.checksum for each in applied}
    return Plan(
        database,
        [PlannedFile(file.name, file.checksum, _state(file, was.get(file.name))) for file in files],
        sorted(was.keys() - {file.name for file in files}),
    )


def _state(file: SqlFile, checksum: str | None) -> FileState:
    if checksum is None:
        return "missing"
    return "applied" if checksum == file.checksum else "edited"


def _checked(place: int, file: SqlFile) -> SqlFile:
    if file.breaks_off:
        raise Invalid.field(
            f"body.files[{place}].sql",
            "does not end in a semicolon; outside a transaction its end would be left out",
        )
    return file
