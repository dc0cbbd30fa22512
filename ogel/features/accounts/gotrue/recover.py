"""POST /recover: a link to choose a new password with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.codes.requests import CodeRequests
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, RedirectQuery
from ogel.features.accounts.gotrue.mailed import Mailed
from ogel.features.accounts.gotrue.shapes import Json
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class RecoverBody(Challenged, frozen=True, kw_only=True):
    email: str = ""


class RecoverRoutes:
    def __init__(self, requests: CodeRequests, mailed: Mailed) -> None:
        self._requests = requests
        self._mailed = mailed

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
        email, link = self._mailed.address(call, body, body.email)
        await self._mailed.check(call, body)
        await self._requests.recover(call.caller, email, link)
        return {}
