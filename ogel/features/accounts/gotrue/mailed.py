"""What requests begin with that have something mailed: the address, what its link is for, and whether a person asks."""

from __future__ import annotations

from typing import Any

from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import Guarded
from ogel.features.accounts.gotrue.links import Challenged, Links
from ogel.features.accounts.self_service.captcha import Captcha
from ogel.features.accounts.users.address import email_of
from ogel.runtime.http.route import Call


class Mailed:
    """`enabled`: whether people sign in with addresses at all."""

    def __init__(self, links: Links, captcha: Captcha, *, enabled: bool) -> None:
        self._links = links
        self._captcha = captcha
        self._enabled = enabled

    def address(
        self, call: Call[Any, Any], body: Challenged, email: str, *, status: int = 400
    ) -> tuple[str, LinkOptions]:
        """Raises AccountError: with `status` where addresses are no way in; and for an address that is none."""
        if not self._enabled:
            raise AccountError(status, "email_provider_disabled", "Email logins are disabled")
        return email_of(email), self._links.options(call, body)

    async def check(self, call: Call[Any, Any], body: Guarded) -> None:
        """Raises AccountError where a captcha is asked for and not solved."""
        await self._captcha.check(call.caller, body.captcha_token)
