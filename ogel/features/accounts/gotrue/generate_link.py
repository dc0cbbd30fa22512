"""POST /admin/generate_link: links that operators send themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.accounts.codes.code import Purpose
from ogel.features.accounts.codes.operators import MadeLink, OperatorCodes, Wanted
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json, user_shape
from ogel.features.accounts.passwords.hasher import Hasher
from ogel.features.accounts.passwords.policy import check_policy
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.metadata import merged
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_TYPES: Mapping[str, Purpose] = {
    "signup": "signup",
    "invite": "invite",
    "magiclink": "magiclink",
    "recovery": "recovery",
    "email_change_current": "email_change_current",
    "email_change_new": "email_change_new",
}


class LinkBody(Struct, frozen=True):
    type: str = ""
    email: str = ""
    new_email: str | None = None
    password: str = ""
    data: Json = {}
    redirect_to: str | None = None


class GenerateLinkRoutes:
    def __init__(
        self, operators: OperatorCodes, links: Links, hasher: Hasher, settings: AccountsSettings
    ) -> None:
        self._operators = operators
        self._links = links
        self._hasher = hasher
        self._settings = settings

    def routes(self) -> Sequence[Route]:
        access = Access("key", "accounts:write", "write").audited("auth.link_made", "user.create")
        return [
            Route("POST", "/admin/generate_link", self._generate, access, "Make a link without sending it",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _generate(self, call: Call[Any, Any]) -> Json:
        body = read(LinkBody, call.body)
        if not body.email:
            raise AccountError(400, "validation_failed", "An email address is required")
        email, purpose = email_of(body.email), _TYPES.get(body.type)
        if purpose is None:
            message = f"Invalid email action link type requested: {body.type[:100]}"
            raise AccountError(400, "validation_failed", message)
        new_email = None if body.new_email is None else email_of(body.new_email)
        hashed = await self._hashed(body.password) if purpose == "signup" else None
        link = self._links.options(call)
        if body.redirect_to:
            link = replace(link, redirect_to=self._links.redirect_to(call, body.redirect_to))
        made = await self._operators.make_link(
            call.caller, Wanted(purpose, email, merged({}, body.data), new_email, hashed), link
        )
        return _shape(made, link.redirect_to)

    async def _hashed(self, password: str) -> str:
        if not password:
            raise AccountError(400, "validation_failed", "Signup requires a valid password")
        check_policy(password, self._settings)
        return await self._hasher.hash(password)


def _shape(made: MadeLink, redirect_to: str) -> Json:
    return {
        **user_shape(made.user, made.identities),
        "action_link": made.url,
        "email_otp": made.code.digits,
        "hashed_token": made.code.token,
        "verification_type": made.purpose,
        "redirect_to": redirect_to,
    }
