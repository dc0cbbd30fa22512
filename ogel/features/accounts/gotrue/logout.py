"""POST /logout: ends the session that asks, all others of its user, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.sessions.service import SessionService, Which
from ogel.runtime.database.database import Database
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_SCOPES = ("global", "local", "others")


class LogoutQuery(Struct, frozen=True, forbid_unknown_fields=True):
    scope: str = "global"


class LogoutRoutes:
    def __init__(self, sessions: SessionService, database: Database) -> None:
        self._sessions = sessions
        self._database = database

    def routes(self) -> Sequence[Route]:
        access = Access("user", None, "write").audited("auth.session_ended")
        return [Route("POST", "/logout", self._logout, access, "Sign out", query=LogoutQuery, status=204)]

    async def _logout(self, call: Call[Any, LogoutQuery]) -> None:
        scope = call.query.scope
        if scope not in _SCOPES:
            raise AccountError(400, "validation_failed", f'Unsupported logout scope "{scope[:100]}"')
        principal = call.principal
        assert principal.session is not None
        async with self._database.transaction() as tx:
            await self._sessions.end(
                tx,
                call.caller,
                UUID(principal.id),
                cast("Which", scope),
                UUID(principal.session),
                "signed_out",
            )
