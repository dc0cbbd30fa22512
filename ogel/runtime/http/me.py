"""`GET /api/me`: who is asking. Clients with a key usually begin with it."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel import __version__
from ogel.kernel.principal import Kind
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class Me(msgspec.Struct, frozen=True):
    """`scopes` are the caller's scopes, `*` for all; `version` is Ogel's."""

    kind: Kind
    id: str
    scopes: list[str]
    version: str


def me_route() -> Route:
    async def me(call: Call[Any, Any]) -> Me:
        principal = call.principal
        return Me(principal.kind, principal.id, sorted(principal.scopes), __version__)

    known = Access("known", None, "read")
    return Route("GET", "/api/me", me, known, "Who the key belongs to, and what it may do", returns=Me)
