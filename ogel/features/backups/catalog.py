"""Ogel's tables as the database's own catalog lists them, so that a backup forgets none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from graphlib import TopologicalSorter
from typing import LiteralString, NamedTuple

from msgspec import Struct
from psycopg.sql import SQL, Composed, Identifier

from ogel.features.backups.manifest import SchemaStep
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.database.schemas import OWN, RESERVED

_SQL = Queries.beside(__name__)


class TableName(NamedTuple):
    """Shown without its schema where that is `ogel`, as in backups made before there were schemas."""

    schema: str
    table: str

    def __str__(self) -> str:
        return self.table if self.schema == OWN else f"{self.schema}.{self.table}"

    @property
    def sql(self) -> Identifier:
        return Identifier(self.schema, self.table)


class Shape(Struct, frozen=True):
    """A table, its columns without the generated ones, and its approximate size in bytes."""

    name: TableName
    columns: list[str]
    bytes: int


async def table_names(tx: Transaction) -> set[TableName]:
    return {TableName(*row) for row in await tx.tuples(_SQL.table_names, await _schemas(tx))}


async def tables(tx: Transaction, left_out: Collection[str]) -> list[Shape]:
    """Sorted so that a table comes after those its foreign keys refer to. Raises graphlib.CycleError."""
    ours = await _schemas(tx)
    found = [
        Shape(TableName(schema, table), columns, bytes)
        for schema, table, columns, bytes in await tx.tuples(_SQL.tables, ours)
    ]
    shapes = {shape.name: shape for shape in found if str(shape.name) not in left_out}
    needs: dict[TableName, set[TableName]] = {name: set() for name in sorted(shapes)}
    for of_schema, of_table, to_schema, to_table in await tx.tuples(_SQL.references, ours):
        name, other = TableName(of_schema, of_table), TableName(to_schema, to_table)
        if name in shapes and other in shapes and name != other:
            needs[name].add(other)
    return [shapes[name] for name in TopologicalSorter(needs).static_order()]


async def _schemas(tx: Transaction) -> dict[str, list[str]]:
    rows = await tx.tuples(_SQL.schemas, {"own": OWN, "reserved": list(RESERVED)})
    return {"schemas": [name for (name,) in rows]}


async def migrations(tx: Transaction) -> list[SchemaStep]:
    return await tx.all(_SQL.migrations, None, SchemaStep)


async def filled(tx: Transaction, names: Iterable[TableName]) -> TableName | None:
    """Returns the name of a table that has rows, or None."""
    for name in sorted(names):
        if await tx.value(_query("SELECT EXISTS (SELECT FROM {table})", name)):
            return name
    return None


async def count(tx: Transaction, name: TableName) -> int:
    number: int = await tx.value(_query("SELECT count(*) FROM {table}", name))
    return number


async def lock(tx: Transaction, names: Iterable[TableName], mode: LiteralString) -> None:
    names = sorted(names)
    if names:
        tables = SQL(", ").join(name.sql for name in names)
        await tx.execute(SQL("LOCK TABLE {} IN " + mode + " MODE").format(tables).as_bytes())


async def analyze(tx: Transaction, name: TableName) -> None:
    await tx.execute(_query("ANALYZE {table}", name))


async def go_on_counting(tx: Transaction) -> None:
    """Sets the sequences of columns to go on after the highest number in the table."""
    for sequence, schema, table, column in await tx.tuples(_SQL.sequences, await _schemas(tx)):
        query = SQL(
            "SELECT setval(%(sequence)s, max({column})) FROM {table} HAVING max({column}) IS NOT NULL"
        )
        names = query.format(column=Identifier(column), table=TableName(schema, table).sql)
        await tx.execute(names.as_bytes(), {"sequence": sequence})


async def without_triggers(tx: Transaction, names: Collection[TableName], *, off: bool) -> None:
    """
    Disables the triggers of these tables, or enables them again: restored rows already hold what triggers made of
    them.
    """
    change: LiteralString = "DISABLE" if off else "ENABLE"
    triggered = {TableName(*row) for row in await tx.tuples(_SQL.triggered, await _schemas(tx))}
    for name in sorted(triggered.intersection(names)):
        await tx.execute(_query("ALTER TABLE {table} " + change + " TRIGGER USER", name))


def copy_out(table: TableName, columns: Sequence[str]) -> bytes:
    return _copy("COPY {table} ({columns}) TO STDOUT (ENCODING 'utf8')", table, columns)


def copy_in(table: TableName, columns: Sequence[str]) -> bytes:
    return _copy("COPY {table} ({columns}) FROM STDIN (ENCODING 'utf8')", table, columns)


def _copy(template: LiteralString, table: TableName, columns: Sequence[str]) -> bytes:
    names = SQL(", ").join(map(Identifier, columns))
    return SQL(template).format(table=table.sql, columns=names).as_bytes()


def _query(template: LiteralString, table: TableName) -> bytes:
    query: Composed = SQL(template).format(table=table.sql)
    return query.as_bytes()
