"""POST /signup: with an address and a password, or, with neither, anonymously."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json, session_shape, user_shape
from ogel.features.accounts.self_service.captcha import Captcha
from ogel.features.accounts.self_service.sign_up import Pending, SignUpService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class SignUpBody(Challenged, frozen=True, kw_only=True):
    email: str = ""
    phone: str = ""
    password: str = ""
    data: dict[str, Any] | None = None


class SignUpRoutes:
    def __init__(self, sign_up: SignUpService, captcha: Captcha, links: Links) -> None:
        self._links = links
        self._sign_up = sign_up
        self._captcha = captcha

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "write").audited("user.create")
        return [
            Route("POST", "/signup", self._signup, access, "Sign up", body=OPTIONAL_JSON,
                  query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _signup(self, call: Call[Any, Any]) -> Json:
        body = read(SignUpBody, call.body)
        await self._captcha.check(call.caller, body.captcha_token)
        if not body.email and not body.phone:
            issued = await self._sign_up.anonymously(call.caller, body.data or {})
            return session_shape(issued, just_made=True)
        if body.email and body.phone:
            said = "Only an email address or phone number should be provided on signup."
            raise AccountError(400, "validation_failed", said)
        if body.phone:
            raise AccountError(400, "phone_provider_disabled", "Phone signups are disabled")
        made = await self._sign_up.with_password(
            call.caller, body.email, body.password, body.data or {}, self._links.options(call, body)
        )
        if isinstance(made, Pending):
            return user_shape(made.user, made.identities, just_made=True)
        return session_shape(made, just_made=True)
