"""GET /user: who has signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.gotrue.shapes import user_shape
from ogel.features.accounts.sessions.people import MOST_REMEMBERED, People
from ogel.features.accounts.sessions.session import Account
from ogel.runtime.http.access import Access
from ogel.runtime.http.reply import encode_json
from ogel.runtime.http.route import Call, Route, Text


class UserRoutes:
    """Apps ask this again and again, so that what they get is encoded once for as long as it is remembered."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._encoded: dict[str, tuple[Account, Text]] = {}

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/user", self._get, Access("user", None, "read"), "Who has signed in", returns=dict)
        ]

    async def _get(self, call: Call[Any, Any]) -> Text:
        account = await self._people.current(call.principal)
        session = call.principal.session or ""
        known, text = self._encoded.pop(session, (None, None))
        if text is None or known is not account:
            shape = user_shape(account.user, account.identities, account.factors)
            text = Text(encode_json(shape), "application/json")
        self._encoded[session] = account, text
        if len(self._encoded) > MOST_REMEMBERED:
            del self._encoded[next(iter(self._encoded))]
        return text
