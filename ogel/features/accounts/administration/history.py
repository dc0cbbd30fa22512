"""What users did, and what was done about them: the audit log's records of people, with their addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from ogel.features.accounts.administration.store import SearchStore
from ogel.features.audit.contract import PersonsRecord, PersonsRecords
from ogel.runtime.database.database import Database


class History:
    def __init__(self, database: Database, store: SearchStore, records: PersonsRecords) -> None:
        self._database = database
        self._store = store
        self._records = records

    async def page(
        self, author: str | None, actions: Sequence[str] | None, offset: int, limit: int
    ) -> tuple[Sequence[PersonsRecord], int]:
        """`author` is part of an address. Returns a page, newest first, and how many records there are."""
        user_ids = None
        if author is not None:
            async with self._database.autocommit() as tx:
                user_ids = await self._store.authors(tx, author)
        return await self._records.of_persons(user_ids, actions, offset, limit)

    async def addresses(self, records: Sequence[PersonsRecord]) -> Mapping[UUID, str]:
        """Records themselves name no address, so that none outlives its user."""
        async with self._database.autocommit() as tx:
            return await self._store.addresses(tx, [each.user_id for each in records])
