"""Watches sessions that long-lived connections were opened with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.accounts.sessions.store import SessionStore
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database
from ogel.runtime.http.end_watch import EndWatch, Seen


class SessionWatch(EndWatch):
    what = "session"

    def __init__(self, database: Database, store: SessionStore) -> None:
        super().__init__()
        self._database = database
        self._store = store

    def _id_of(self, principal: Principal) -> str | None:
        return principal.session

    async def _ask(self, ids: Sequence[str]) -> Mapping[str, Seen]:
        async with self._database.autocommit() as tx:
            left = await self._store.standings(tx, ids)
        return {id: Seen("expired" if seconds <= 0 else None, seconds) for id, seconds in left.items()}
