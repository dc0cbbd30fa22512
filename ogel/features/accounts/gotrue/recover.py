"""POST /recover: a link to choose a new password with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.codes.requests import CodeRequests
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json
from ogel.features.accounts.self_service.captcha import Captcha
from ogel.features.accounts.users.address import email_of
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class RecoverBody(Challenged, frozen=True, kw_only=True):
    email: str = ""


class RecoverRoutes:
    """`email`: whether people sign in with addresses at all."""

    def __init__(self, requests: CodeRequests, links: Links, captcha: Captcha, *, email: bool) -> None:
        self._requests = requests
        self._links = links
        self._captcha = captcha
        self._email = email

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "sign_in").audited("auth.code_sent")
        return [
            Route("POST", "/recover", self._recover, access, "Mail a link to choose a new password with",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _recover(self, call: Call[Any, Any]) -> Json:
        body = read(RecoverBody, call.body)
        if not body.email:
            raise AccountError(400, "validation_failed", "Password recovery requires an email")
        if not self._email:
            raise AccountError(400, "email_provider_disabled", "Email logins are disabled")
        email, link = email_of(body.email), self._links.options(call, body)
        await self._captcha.check(call.caller, body.captcha_token)
        await self._requests.recover(call.caller, email, link)
        return {}
