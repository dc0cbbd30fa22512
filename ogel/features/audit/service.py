"""Reading, verifying and exporting the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.contract import PersonsRecord
from ogel.features.audit.ends import Ends
from ogel.features.audit.export import ChainPiece, Exporter
from ogel.features.audit.store import AuditRecord, AuditStore
from ogel.features.audit.verify import ChainVerdict, Progress, Verifier
from ogel.kernel.clock import rfc3339
from ogel.kernel.principal import Caller
from ogel.runtime.audit import NO_METADATA
from ogel.runtime.database.database import Database


class AuditService:
    def __init__(self, database: Database, store: AuditStore, chain: ChainStore, ends: Ends) -> None:
        self._database = database
        self._store = store
        self._exporter = Exporter(database, chain, ends)
        self._verifier = Verifier(database, chain, ends)

    async def list(self, filters: Mapping[str, object]) -> list[AuditRecord]:
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, filters)

    async def of_persons(
        self, user_ids: Sequence[UUID] | None, actions: Sequence[str] | None, offset: int, limit: int
    ) -> tuple[Sequence[PersonsRecord], int]:
        async with self._database.autocommit() as tx:
            return await self._store.of_persons(tx, user_ids, actions, offset, limit)

    async def record(
        self,
        caller: Caller,
        action: str,
        resource_type: str,
        resource_id: str,
        metadata: Mapping[str, object] = NO_METADATA,
    ) -> None:
        """Records an action that spans many transactions, or none."""
        async with self._database.transaction() as tx:
            await self._store.record(tx, caller, action, resource_type, resource_id, metadata)

    async def verify(self, progress: Progress) -> ChainVerdict:
        return await self._verifier.verify(progress)

    async def begin_export(self, caller: Caller, since: datetime, until: datetime | None) -> ChainPiece:
        """The export is recorded itself, because it copies all records."""
        piece = await self._exporter.piece(since, until)
        metadata = {"since": rfc3339(since), "until": until and rfc3339(until), "records": piece.length}
        await self.record(caller, "audit.export", "audit", "audit_logs", metadata)
        return piece

    def lines(self, piece: ChainPiece) -> AsyncIterator[Sequence[bytes]]:
        return self._exporter.lines(piece)
