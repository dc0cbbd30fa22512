"""POST /token: one route for all grants, which stand in files of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

# Answers a body whose names are in any case: see bodies.read.
Grant = Callable[[Call[Any, Any]], Awaitable[object]]


class TokenQuery(Struct, frozen=True, forbid_unknown_fields=True):
    grant_type: str = ""


class TokenRoutes:
    """`grants` by their type."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = grants

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "write").audited(
            *("auth.sign_in", "auth.sign_in_failed", "auth.refresh_reuse"),
            # Of who comes with an ID token for the first time.
            *("identity.create", "user.create"),
        )
        return [
            Route("POST", "/token", self._token, access, "Get a session", body=OPTIONAL_JSON,
                  query=TokenQuery, returns=dict),
        ]  # fmt: skip

    async def _token(self, call: Call[Any, TokenQuery]) -> object:
        grant = self._grants.get(call.query.grant_type)
        if grant is None:
            raise AccountError(400, "invalid_credentials", "unsupported_grant_type")
        return await grant(call)
