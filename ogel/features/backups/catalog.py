"""Ogel's tables as the database itself lists them, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import LiteralString

from psycopg.sql import SQL, Composed, Identifier

from ogel.features.backups.manifest import SchemaStep
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's name, its columns save those that are computed, and about how many bytes it has."""

    name: str
    columns: list[str]
    bytes: int


async def table_names(tx: Transaction) -> set[str]:
    return {name for (name,) in await tx.tuples(_SQL.table_names)}


async def tables(tx: Transaction, left_out: Collection[str]) -> list[Shape]:
    """Those that others refer to first. Raises graphlib.CycleError."""
    shapes = {row[0]: Shape(*row) for row in await tx.tuples(_SQL.tables) if row[0] not in left_out}
    needs: dict[str, set[str]] = {name: set() for name in sorted(shapes)}
    for table, other in await tx.tuples(_SQL.references):
        if table in shapes and other in shapes and table != other:
            needs[table].add(other)
    return [shapes[name] for name in TopologicalSorter(needs).static_order()]


async def migrations(tx: Transaction) -> list[SchemaStep]:
    return await tx.all(_SQL.migrations, None, SchemaStep)


async def filled(tx: Transaction, names: Iterable[str]) -> str | None:
    """A table that has rows, or None."""
    for name in sorted(names):
        if await tx.value(_query("SELECT EXISTS (SELECT FROM {table})", name)):
            return name
    return None


async def count(tx: Transaction, name: str) -> int:
    number: int = await tx.value(_query("SELECT count(*) FROM {table}", name))
    return number


async def lock(tx: Transaction, names: Iterable[str], mode: LiteralString) -> None:
    names = sorted(names)
    if names:
        tables = SQL(", ").join(map(Identifier, names))
        await tx.execute(SQL("LOCK TABLE {} IN " + mode + " MODE").format(tables).as_bytes())


async def analyze(tx: Transaction, name: str) -> None:
    await tx.execute(_query("ANALYZE {table}", name))


async def go_on_counting(tx: Transaction) -> None:
    """Sequences of columns go on after the highest number that is there."""
    for sequence, table, column in await tx.tuples(_SQL.sequences):
        query = SQL(
            "SELECT setval(%(sequence)s, max({column})) FROM {table} HAVING max({column}) IS NOT NULL"
        )
        names = query.format(column=Identifier(column), table=Identifier(table))
        await tx.execute(names.as_bytes(), {"sequence": sequence})


async def without_triggers(tx: Transaction, names: Collection[str], *, off: bool) -> None:
    """Rows are restored as they were: what a trigger once made of them is in them already."""
    change: LiteralString = "DISABLE" if off else "ENABLE"
    for (name,) in await tx.tuples(_SQL.triggered, {"names": list(names)}):
        await tx.execute(_query("ALTER TABLE {table} " + change + " TRIGGER USER", name))


def copy_out(table: str, columns: Sequence[str]) -> bytes:
    return _copy("COPY {table} ({columns}) TO STDOUT (ENCODING 'utf8')", table, columns)


def copy_in(table: str, columns: Sequence[str]) -> bytes:
    return _copy("COPY {table} ({columns}) FROM STDIN (ENCODING 'utf8')", table, columns)


def _copy(template: LiteralString, table: str, columns: Sequence[str]) -> bytes:
    names = SQL(", ").join(map(Identifier, columns))
    return SQL(template).format(table=Identifier(table), columns=names).as_bytes()


def _query(template: LiteralString, table: str) -> bytes:
    query: Composed = SQL(template).format(table=Identifier(table))
    return query.as_bytes()
