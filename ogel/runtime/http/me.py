"""`GET /api/me`: who is asking. Clients with a key usually begin with it."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel import __version__
from ogel.kernel.principal import Kind
from ogel.kernel.roles import roles_of
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class Me(msgspec.Struct, frozen=True):
    """
    `scopes` are the caller's scopes, `*` for all; `version` is Ogel's; `roles` are those that permissions name
    (`users/verified`, `team:ID/owner`, `label:x`).
    """

    kind: Kind
    id: str
    scopes: list[str]
    version: str
    roles: list[str] = []


def me_route() -> Route:
    async def me(call: Call[Any, Any]) -> Me:
        principal = call.principal
        scopes, roles = sorted(principal.scopes), sorted(roles_of(principal))
        return Me(principal.kind, principal.id, scopes, __version__, roles)

    known = Access("known", None, "read")
    return Route("GET", "/api/me", me, known, "Who the key belongs to, and what it may do", returns=Me)
