"""POST /invite: operators ask people in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.codes.operators import OperatorCodes
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json, user_shape
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.metadata import merged
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class InviteBody(Struct, frozen=True):
    email: str = ""
    data: Json = {}


class InviteRoutes:
    def __init__(self, operators: OperatorCodes, links: Links) -> None:
        self._operators = operators
        self._links = links

    def routes(self) -> Sequence[Route]:
        access = Access("key", "accounts:write", "write").audited("auth.code_sent", "user.create")
        return [
            Route("POST", "/invite", self._invite, access, "Invite somebody by mail",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _invite(self, call: Call[Any, Any]) -> Json:
        body = read(InviteBody, call.body)
        if not body.email:
            raise AccountError(400, "validation_failed", "An email address is required")
        invited = await self._operators.invite(
            call.caller, email_of(body.email), merged({}, body.data), self._links.options(call)
        )
        return user_shape(invited.user, invited.identities, just_made=True)
