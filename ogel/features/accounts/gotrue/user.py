"""GET /user: who has signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.gotrue.shapes import Json, user_shape
from ogel.features.accounts.sessions.people import People
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class UserRoutes:
    def __init__(self, people: People) -> None:
        self._people = people

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/user", self._get, Access("user", None, "read"), "Who has signed in", returns=dict)
        ]

    async def _get(self, call: Call[Any, Any]) -> Json:
        account = await self._people.current(call.principal)
        return user_shape(account.user, account.identities, account.factors)
