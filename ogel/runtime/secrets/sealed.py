"""All sealed values of the database: counting them by key, and resealing them under the newest key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from msgspec import Struct
from psycopg.sql import SQL, Composed, Identifier

from ogel.runtime.database.database import Database
from ogel.runtime.secrets.vault import KEY_ID_BYTES, Unsealable, Vault

BATCH = 200
_SHOWN_UNREADABLE = 20

_COUNT = SQL("""
SELECT CASE WHEN substring({column} FROM 1 FOR 1) = %(version)s THEN substring({column} FROM 2 FOR %(id_bytes)s) END,
       count(*)
FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1
""")
_READ = SQL("""
SELECT {id}::text, {owner}::text, {column} FROM {table}
WHERE (%(after)s::{type} IS NULL OR {id} > %(after)s::{type})
  AND {column} IS NOT NULL AND substring({column} FROM 1 FOR %(header_bytes)s) <> %(header)s
ORDER BY {id} LIMIT %(limit)s
""")
# A value that was changed since it was read is left alone.
_WRITE = SQL("""
UPDATE {table} AS t SET {column} = r.after
FROM unnest(%(ids)s::{type}[], %(before)s::bytea[], %(after)s::bytea[]) AS r (id, before, after)
WHERE t.{id} = r.id AND t.{column} = r.before
""")

KeyState = Literal["newest", "former", "unknown", "unnamed"]


class SealedColumn(Struct, frozen=True):
    """
    table, id, column  where sealed values stand (bytea, null for none); `id` is the primary key.
    owner              the column whose value `purpose` makes the vault's purpose of.
    id_type            of the primary key.
    """

    table: str
    id: str
    column: str
    owner: str
    purpose: Callable[[str], str]
    id_type: Literal["text", "uuid"] = "text"

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    def query(self, template: SQL) -> bytes:
        query: Composed = template.format(
            table=Identifier(self.table),
            type=SQL(self.id_type),
            id=Identifier(self.id),
            column=Identifier(self.column),
            owner=Identifier(self.owner),
        )
        return query.as_bytes()


class KeyUse(Struct, frozen=True):
    """`count` values of `column` are sealed under `key`; `unnamed` ones are of the format without a key id."""

    column: str
    key: str | None
    state: KeyState
    count: int


class Resealed(Struct):
    """Running totals; `unreadable_ids` has the first few of those that no known key opens."""

    resealed: int = 0
    unreadable: int = 0
    unreadable_ids: list[str] = []


class SealedValues:
    """Works in batches and holds no lock between them, so it is safe while others read and write the same rows."""

    def __init__(self, database: Database, vault: Vault, columns: Sequence[SealedColumn]) -> None:
        self._database = database
        self._vault = vault
        self._columns = columns

    async def status(self) -> list[KeyUse]:
        uses = []
        parameters = {"version": self._vault.header[:1], "id_bytes": KEY_ID_BYTES}
        for column in self._columns:
            async with self._database.autocommit() as tx:
                rows = await tx.tuples(column.query(_COUNT), parameters)
            uses += [self._use(column.name, key_id, count) for key_id, count in rows]
        return uses

    async def reseal(self) -> AsyncIterator[Resealed]:
        """
        Reseals what is not sealed under the newest key, and yields totals after each batch. When interrupted, it can
        continue later; unreadable values are skipped and stay as they are.
        """
        done = Resealed()
        for column in self._columns:
            after: str | None = None
            while batch := await self._read(column, after):
                after = batch[-1][0]
                await self._write(column, batch, done)
                yield done

    async def _read(self, column: SealedColumn, after: str | None) -> list[tuple[str, str, bytes]]:
        header = self._vault.header
        parameters = {"after": after, "header": header, "header_bytes": len(header), "limit": BATCH}
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(column.query(_READ), parameters)
        return [(id, owner, bytes(sealed)) for id, owner, sealed in rows]

    async def _write(
        self, column: SealedColumn, batch: Sequence[tuple[str, str, bytes]], done: Resealed
    ) -> None:
        ids, before, after = [], [], []
        for id, owner, sealed in batch:
            try:
                resealed = self._vault.reseal(sealed, column.purpose(owner))
            except Unsealable:
                done.unreadable += 1
                if len(done.unreadable_ids) < _SHOWN_UNREADABLE:
                    done.unreadable_ids.append(f"{column.name} {id}")
                continue
            ids.append(id)
            before.append(sealed)
            after.append(resealed)
        if ids:
            async with self._database.autocommit() as tx:
                parameters = {"ids": ids, "before": before, "after": after}
                done.resealed += await tx.execute(column.query(_WRITE), parameters)

    def _use(self, column: str, key_id: bytes | None, count: int) -> KeyUse:
        if key_id is None:
            return KeyUse(column, None, "unnamed", count)
        newest, *former = self._vault.key_ids
        state: KeyState = "newest" if key_id == newest else "former" if key_id in former else "unknown"
        return KeyUse(column, key_id.hex(), state, count)
