"""/api/users/{id}/sessions and /api/sessions for operators, /api/me/sessions for whoever has signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Session
from ogel.kernel.errors import NotFound
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Route

_ENDED = "auth.session_ended"


class SessionRoutes:
    def __init__(self, sessions: SessionService) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[Route]:
        read = Access("key", "accounts:read", "read")
        write = Access("key", "accounts:write", "write").audited(_ENDED)
        own, own_write = Access("user", None, "read"), Access("user", None, "write").audited(_ENDED)
        return [
            Route("GET", "/api/users/{id}/sessions", self._list, read,
                  "Sessions of a user, the last refreshed first", returns=Page[Session]),
            Route("DELETE", "/api/users/{id}/sessions", self._end_all, write,
                  "Sign a user out everywhere", status=204),
            Route("DELETE", "/api/sessions/{id}", self._end, write,
                  "End a session, and the streams that it opened", status=204),
            Route("GET", "/api/me/sessions", self._list_own, own,
                  "Where you have signed in, the last refreshed first", returns=Page[Session]),
            Route("DELETE", "/api/me/sessions/{id}", self._end_own, own_write,
                  "Sign out somewhere", status=204),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Any]) -> Page[Session]:
        # One page holds them: OGEL_AUTH_SESSIONS_PER_USER says how many there are at most.
        return Page(await self._sessions.of_user(_uuid(call, "user")), next=None)

    async def _end_all(self, call: Call[Any, Any]) -> None:
        await self._sessions.end_of_user(call.caller, _uuid(call, "user"))

    async def _end(self, call: Call[Any, Any]) -> None:
        await self._sessions.end_one(call.caller, _uuid(call, "session"))

    async def _list_own(self, call: Call[Any, Any]) -> Page[Session]:
        return Page(await self._sessions.of_user(UUID(call.principal.id)), next=None)

    async def _end_own(self, call: Call[Any, Any]) -> None:
        await self._sessions.end_one(call.caller, _uuid(call, "session"), UUID(call.principal.id))


def _uuid(call: Call[Any, Any], what: str) -> UUID:
    try:
        return UUID(call.path["id"])
    except ValueError:
        raise NotFound(f"There is no {what} {call.path['id']!r}.") from None
