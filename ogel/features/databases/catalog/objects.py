"""The objects of a PostgreSQL database, as callers read them."""

from __future__ import annotations

from msgspec import Struct


class Schema(Struct, frozen=True):
    name: str
    owner: str
    tables: int
    comment: str | None


class Table(Struct, frozen=True):
    """`rows` is the planner's estimate, null before the first analysis; a view has no size."""

    schema: str
    name: str
    kind: str
    rows: int | None
    size_bytes: int | None
    owner: str
    comment: str | None


class Column(Struct, frozen=True):
    schema: str
    table: str
    position: int
    name: str
    type: str
    nullable: bool
    default: str | None
    comment: str | None


class Index(Struct, frozen=True):
    """An index that is not `valid` was left by an interrupted concurrent build."""

    schema: str
    table: str
    name: str
    definition: str
    unique: bool
    primary: bool
    valid: bool
    size_bytes: int | None
    scans: int


class Extension(Struct, frozen=True):
    """`installed_version` is null for an extension that is only available."""

    name: str
    installed_version: str | None
    default_version: str | None
    comment: str | None
