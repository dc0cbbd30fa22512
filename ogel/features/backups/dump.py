"""Copies one consistent snapshot of all tables into a store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import structlog

from ogel import __version__
from ogel.features.backups import catalog
from ogel.features.backups.catalog import Shape, TableName
from ogel.features.backups.chunks import CHUNK_BYTES, pack
from ogel.features.backups.manifest import FORMAT, BackupLocation, Chunk, Manifest, TableDump
from ogel.features.backups.store import Copied
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, Piece, Queries, Transaction
from ogel.runtime.objects import StoreFull, Written, one
from ogel.runtime.secrets.vault import Vault

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)

# A snapshot keeps vacuum from removing dead rows of every table, so it must end even if something hangs.
MOST_SECONDS = 6 * 3600
# The longest time between two statements, while the store takes the last chunk of a table.
IDLE_SECONDS = 600
# Delays before a chunk is uploaded again: a short outage of the store must not cost the whole snapshot.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
PUT_SECONDS = 300.0

_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,62}")

Tell = Callable[[Copied], Awaitable[None]]


class Dump:
    """Uses one connection and holds at most three chunks in memory, however large the tables are."""

    def __init__(self, database: Database, vault: Vault, left_out: Callable[[], Collection[str]]) -> None:
        self._database = database
        self._vault = vault
        self._left_out = left_out

    async def take(self, place: BackupLocation, id: str, run: str, note: str | None, tell: Tell) -> Manifest:
        """Writes the chunks and returns the manifest, which the caller has to write. Raises Unavailable, StoreFull."""
        async with self._database.transaction() as tx:
            await self._begin(tx)
            shapes = await catalog.tables(tx, self._left_out())
            [(taken_at, postgres)] = await tx.tuples(_SQL.about_snapshot)
            migrations = await catalog.migrations(tx)
            copied = Copied(expected_bytes=sum(shape.bytes for shape in shapes))
            tables = []
            for number, shape in enumerate(shapes):
                prefix = f"{run}/{_file_name(shape.name, number)}"
                tables.append(await self._table(tx, place, id, prefix, shape, copied, tell))
                copied.tables += 1
        return Manifest(
            format=FORMAT,
            id=id,
            run=run,
            note=note,
            ogel=__version__,
            postgres=postgres,
            key_id=self._vault.key_ids[0].hex(),
            taken_at=taken_at,
            migrations=migrations,
            tables=tables,
        )

    async def _begin(self, tx: Transaction) -> None:
        """
        Locks all tables before the snapshot is taken, as pg_dump does: a table rewritten between the snapshot and the
        lock would look empty. Only changes of the schema wait for these locks.
        """
        async with self._database.autocommit() as outside:
            names = await catalog.table_names(outside)
        await tx.execute(_SQL.snapshot)
        await catalog.lock(tx, names, "ACCESS SHARE")
        limits = {"statement": f"{MOST_SECONDS}s", "idle": f"{IDLE_SECONDS}s"}
        await tx.execute(_SQL.allow_long, limits)
        if await catalog.table_names(tx) != names:
            raise Unavailable("The schema is being changed.")

    async def _table(
        self,
        tx: Transaction,
        place: BackupLocation,
        id: str,
        prefix: str,
        shape: Shape,
        copied: Copied,
        tell: Tell,
    ) -> TableDump:
        chunks: list[Chunk] = []
        async with tx.copy_out(catalog.copy_out(shape.name, shape.columns)) as pieces:
            async for rows in _cut(pieces):
                key = f"{prefix}.{len(chunks):06}"
                sealed = await pack(self._vault, id, key, rows)
                written = await self._put(place, key, sealed)
                chunk = Chunk(key, rows.count(b"\n"), len(rows), written.size, written.sha256)
                chunks.append(chunk)
                copied.rows += chunk.rows
                copied.bytes += chunk.bytes
                copied.size += chunk.size
                await tell(copied)
        schema, table = shape.name
        return TableDump(table, shape.columns, sum(chunk.rows for chunk in chunks), chunks, schema)

    async def _put(self, place: BackupLocation, key: str, content: bytes) -> Written:
        try:
            async with asyncio.timeout(PUT_SECONDS):
                for pause in PAUSES:
                    try:
                        return await place.store.put(place.key(key), one(content))
                    except StoreFull:
                        raise
                    except Unavailable as error:
                        log.warning(
                            "backup.store_away", key=place.key(key), error=error.message, again_in=pause
                        )
                    await asyncio.sleep(pause)
                return await place.store.put(place.key(key), one(content))
        except TimeoutError:
            raise Unavailable(f"The store did not take a chunk within {PUT_SECONDS:g} s.") from None


def _file_name(name: TableName, number: int) -> str:
    """Replaces characters that keys may not have, and tells apart tables of the same name in two schemas."""
    table = str(name)
    return table if _PLAIN.fullmatch(table) else f"table-{number}"


async def _cut(pieces: AsyncIterator[Piece]) -> AsyncIterator[bytes]:
    """
    Cuts the copied text into pieces of about a chunk, at line breaks: in COPY's text format a line break ends a row
    and stands nowhere else.
    """
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if len(buffer) >= CHUNK_BYTES and buffer.endswith(b"\n"):
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
