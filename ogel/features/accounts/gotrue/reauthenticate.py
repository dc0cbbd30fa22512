"""GET /reauthenticate: a code for somebody who has signed in, before they change their password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ogel.features.accounts.codes.requests import CodeRequests
from ogel.features.accounts.gotrue.links import Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class ReauthenticateRoutes:
    def __init__(self, requests: CodeRequests, links: Links) -> None:
        self._requests = requests
        self._links = links

    def routes(self) -> Sequence[Route]:
        access = Access("user", None, "sign_in").audited("auth.code_sent")
        return [
            Route("GET", "/reauthenticate", self._send, access, "Mail a code to who has signed in",
                  query=RedirectQuery, returns=dict, head=False),
        ]  # fmt: skip

    async def _send(self, call: Call[Any, Any]) -> Json:
        await self._requests.reauthenticate(call.caller, UUID(call.principal.id), self._links.options(call))
        return {}
