"""Watches keys that long-lived connections were opened with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.keys.store import KeyStore, Standing
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database
from ogel.runtime.http.end_watch import EndWatch, Seen


class KeyWatch(EndWatch):
    what = "key"

    def __init__(self, database: Database, store: KeyStore) -> None:
        super().__init__()
        self._database = database
        self._store = store

    def _id_of(self, principal: Principal) -> str | None:
        """Keys that stand in settings, not in the table, cannot end."""
        return principal.id if principal.id.startswith("key_") else None

    async def _ask(self, ids: Sequence[str]) -> Mapping[str, Seen]:
        async with self._database.autocommit() as tx:
            standings = await self._store.standings(tx, ids)
        return {id: _seen(id, standing) for id, standing in standings.items()}


def _seen(id: str, standing: Standing) -> Seen:
    may = Principal("key", id, frozenset(standing.scopes)).may
    return Seen(standing.ended, standing.expires_in_seconds, may)
