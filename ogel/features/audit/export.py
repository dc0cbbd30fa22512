"""
Exports a part of the audit log as NDJSON. Each line has the record, its position, its hash and the hash before it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.audit.chain import End, Linked
from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import EndChanged, Ends
from ogel.kernel.errors import Conflict
from ogel.runtime.database.database import Database, Transaction

PAGE = 1_000


class ChainPiece(Struct, frozen=True):
    """A part of the chain: the records after `start`, up to the position `last`."""

    start: End
    last: int

    @property
    def length(self) -> int:
        return max(0, self.last - self.start.seq)


class Exporter:
    def __init__(self, database: Database, store: ChainStore, ends: Ends) -> None:
        self._database = database
        self._store = store
        self._ends = ends

    async def piece(self, since: datetime, until: datetime | None) -> ChainPiece:
        """
        Selects the sealed records of that time and those between them in the chain, so that the piece has no gaps.
        Raises Conflict when the chain is broken there.
        """
        async with self._database.autocommit() as tx:
            try:
                head = await self._ends.read(tx, "head")
                anchor = await self._ends.read(tx, "anchor")
            except EndChanged as error:
                raise Conflict(f"{error} `ogel audit verify` says more.") from error
            first = await self._store.first_since(tx, since)
            after = None if until is None else await self._store.first_since(tx, until)
            last = head.seq if after is None else after - 1
            if first is None or first > last:
                return ChainPiece(head, head.seq)
            return ChainPiece(await self._before(tx, anchor, first), last)

    async def _before(self, tx: Transaction, anchor: End, first: int) -> End:
        if first == anchor.seq + 1:
            return anchor
        hash = await self._store.hash_at(tx, first - 1)
        if hash is None:
            raise _broken(first - 1)
        return End(first - 1, hash)

    async def lines(self, piece: ChainPiece) -> AsyncIterator[Sequence[bytes]]:
        """
        Yields one line per record, read page by page. Raises Conflict when records are missing or are purged
        meanwhile.
        """
        end = piece.start
        while end.seq < piece.last:
            async with self._database.autocommit() as tx:
                page = await self._store.linked(tx, end.seq + 1, piece.last, PAGE)
            lines = []
            for linked in page:
                if linked.seq != end.seq + 1:
                    break
                lines.append(_line(linked, end))
                end = linked.end
            if lines:
                yield lines
            if len(lines) < min(PAGE, len(page) or 1):
                raise _broken(end.seq + 1)


def _line(linked: Linked, before: End) -> bytes:
    document = {**linked.record, "previous": before.hash.hex(), "hash": linked.hash.hex()}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _broken(seq: int) -> Conflict:
    return Conflict(f"Record {seq} of the audit chain is gone; `ogel audit verify` says more.")
