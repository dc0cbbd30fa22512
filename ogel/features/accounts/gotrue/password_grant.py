"""POST /token?grant_type=password."""

from __future__ import annotations

from typing import Any

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import Guarded, read
from ogel.features.accounts.gotrue.shapes import Json, session_shape
from ogel.features.accounts.self_service.captcha import Captcha
from ogel.features.accounts.self_service.sign_in import SignInService
from ogel.runtime.http.route import Call


class PasswordBody(Guarded, frozen=True, kw_only=True):
    email: str = ""
    phone: str = ""
    password: str = ""


class PasswordGrant:
    def __init__(self, sign_in: SignInService, captcha: Captcha) -> None:
        self._sign_in = sign_in
        self._captcha = captcha

    async def answer(self, call: Call[Any, Any]) -> Json:
        """`weak_password` is a key of these sessions only: null, or what is wrong with the password."""
        body = read(PasswordBody, call.body)
        if body.email and body.phone:
            said = "Only an email address or phone number should be provided on login."
            raise AccountError(400, "validation_failed", said)
        if body.phone:
            raise AccountError(422, "phone_provider_disabled", "Phone logins are disabled")
        if not body.email:
            raise AccountError(400, "validation_failed", "missing email or phone")
        await self._captcha.check(call.caller, body.captcha_token)
        signed_in = await self._sign_in.by_password(call.caller, body.email, body.password)
        weakness = signed_in.weakness
        weak = None if weakness is None else {"message": weakness.message, "reasons": weakness.reasons}
        return session_shape(signed_in.issued) | {"weak_password": weak}
