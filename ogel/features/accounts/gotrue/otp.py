"""POST /otp and /magiclink: sign-in by a link or a code in mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.features.accounts.codes.requests import CodeRequests
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, RedirectQuery
from ogel.features.accounts.gotrue.mailed import Mailed
from ogel.features.accounts.gotrue.shapes import Json
from ogel.features.accounts.users.metadata import merged
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class OtpBody(Challenged, frozen=True, kw_only=True):
    email: str = ""
    phone: str = ""
    channel: str = ""
    create_user: bool = True
    data: Json = msgspec.field(default_factory=dict)


class OtpRoutes:
    def __init__(self, requests: CodeRequests, mailed: Mailed) -> None:
        self._requests = requests
        self._mailed = mailed

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "sign_in").audited("auth.code_sent", "user.create")
        return [
            Route("POST", "/otp", self._otp, access, "Mail a code and a link to sign in with",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
            Route("POST", "/magiclink", self._magiclink, access, "The same, for older clients",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _otp(self, call: Call[Any, Any]) -> Json:
        body = read(OtpBody, call.body)
        if body.email and body.phone:
            raise _invalid(400, "Only an email address or phone number should be provided")
        if body.email and body.channel:
            raise _invalid(400, "Channel should only be specified with Phone OTP")
        if body.phone:
            raise AccountError(400, "phone_provider_disabled", "Unsupported phone provider")
        if not body.email:
            raise _invalid(400, "One of email or phone must be set")
        return await self._send(call, body)

    async def _magiclink(self, call: Call[Any, Any]) -> Json:
        body = read(OtpBody, call.body)
        if not body.email:
            raise _invalid(422, "Password recovery requires an email")
        return await self._send(call, body)

    async def _send(self, call: Call[Any, Any], body: OtpBody) -> Json:
        email, link = self._mailed.address(call, body, body.email, status=422)
        data = merged({}, body.data)
        await self._mailed.check(call, body)
        await self._requests.sign_in(call.caller, email, create=body.create_user, data=data, link=link)
        return {}


def _invalid(status: int, message: str) -> AccountError:
    return AccountError(status, "validation_failed", message)
