"""POST /resend: what was mailed to confirm an address, once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.codes.requests import CodeRequests, Resent
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, RedirectQuery
from ogel.features.accounts.gotrue.mailed import Mailed
from ogel.features.accounts.gotrue.shapes import Json
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_BY_MAIL: dict[str, Resent] = {"signup": "signup", "email_change": "email_change"}
_BY_PHONE = ("sms", "phone_change")


class ResendBody(Challenged, frozen=True, kw_only=True):
    type: str = ""
    email: str = ""
    phone: str = ""


class ResendRoutes:
    def __init__(self, requests: CodeRequests, mailed: Mailed) -> None:
        self._requests = requests
        self._mailed = mailed

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "sign_in").audited("auth.code_sent")
        return [
            Route("POST", "/resend", self._resend, access, "Mail what confirms an address once more",
                  body=OPTIONAL_JSON, query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _resend(self, call: Call[Any, Any]) -> Json:
        body = read(ResendBody, call.body)
        type = self._type(body)
        email, link = self._mailed.address(call, body, body.email)
        await self._mailed.check(call, body)
        await self._requests.resend(call.caller, email, type, link)
        return {}

    @staticmethod
    def _type(body: ResendBody) -> Resent:
        if body.type in _BY_PHONE:
            if not body.phone:
                raise _invalid("Type provided requires a phone number")
            raise AccountError(400, "phone_provider_disabled", "Phone logins are disabled")
        type = _BY_MAIL.get(body.type)
        if type is None:
            raise _invalid("Missing one of these types: signup, email_change, sms, phone_change")
        if not body.email:
            raise _invalid("Type provided requires an email address")
        return type


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)
