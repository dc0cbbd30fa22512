"""A run of migrations as callers ask for it and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.kernel.text import STORABLE_PATTERN, pattern

MOST_FILES = 200
MOST_BYTES = 4 * 1024 * 1024

FileName = Annotated[
    str,
    Meta(
        pattern=pattern(
            r"^[0-9]{1,14}_[A-Za-z0-9_.-]{1,100}\.sql(?!\n)$", "a name like 0001_what_and_why.sql"
        ),
        description="`0001_create_orders.sql`: files are applied in the order of their numbers.",
    ),
]
Sql = Annotated[str, Meta(max_length=MOST_BYTES, pattern=STORABLE_PATTERN)]
RunStatus = Literal["running", "succeeded", "failed", "cancelled"]
FileState = Literal["applied", "missing", "edited"]


class MigrationFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One transaction, unless it begins with the line `-- outside a transaction`."""

    name: FileName
    sql: Sql


class NewRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Contains all files, including those applied already; at most 4 MiB together. `dry_run` only returns what would be
    applied.
    """

    files: Annotated[list[MigrationFile], Meta(min_length=1, max_length=MOST_FILES)]
    dry_run: bool = False


class RunError(Struct, frozen=True):
    """`line` and `position` (in characters) count from 1 within the file; null where the server names no place."""

    message: str
    file: str | None = None
    line: int | None = None
    position: int | None = None
    sqlstate: str | None = None


class Run(Struct, frozen=True):
    """
    `done` of `total` files are applied, `applied` of them by this run; `current` is under way. `waiting`: why it does
    not go on for now. Cancelling takes effect between two files; until then the status is `running`.
    """

    id: str
    database: str
    status: RunStatus
    total: int
    done: int
    applied: int
    current: str | None
    waiting: str | None
    cancelling: bool
    error: RunError | None
    created_at: datetime
    finished_at: datetime | None


class PlannedFile(Struct, frozen=True):
    """`edited` means that another file was applied under its number: its name or its content differed."""

    name: str
    checksum: str
    state: FileState


class Plan(Struct, frozen=True):
    """
    What a run would do now: apply the `missing` files, unless one is `edited`. `unknown` files were applied but are
    not in the request.
    """

    database: str
    files: list[PlannedFile]
    unknown: list[str]
