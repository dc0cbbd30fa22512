"""Watches sessions that long-lived connections were opened with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.accounts.sessions.store import SessionStore, Standing
from ogel.kernel.principal import Principal
from ogel.kernel.roles import CLAIM, roles_claim, roles_of
from ogel.runtime.database.database import Database
from ogel.runtime.http.admission import Ending
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
        return {id: _seen(standing) for id, standing in left.items()}


def _seen(standing: Standing) -> Seen:
    claims = {
        CLAIM: roles_claim(
            verified=standing.is_verified, labels=standing.labels, of_teams=standing.team_roles
        )
    }
    roles = roles_of(Principal("user", str(standing.user_id), claims=claims))
    ended: Ending | None = "expired" if standing.seconds <= 0 else None
    # People have no scopes: what a stream needs of them is a role, or nothing.
    return Seen(ended, standing.seconds, lambda role: not role or role in roles)
