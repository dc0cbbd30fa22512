"""POST /token?grant_type=refresh_token."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ogel.features.accounts.gotrue.bodies import read
from ogel.features.accounts.gotrue.shapes import Json, session_shape
from ogel.features.accounts.sessions.service import SessionService
from ogel.runtime.http.route import Call


class RefreshBody(Struct, frozen=True):
    refresh_token: str = ""


class RefreshGrant:
    def __init__(self, sessions: SessionService) -> None:
        self._sessions = sessions

    async def answer(self, call: Call[Any, Any]) -> Json:
        body = read(RefreshBody, call.body)
        return session_shape(await self._sessions.refresh(call.caller, body.refresh_token))
