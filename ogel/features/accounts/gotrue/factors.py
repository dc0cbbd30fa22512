"""/factors: second factors of the user who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors.service import FactorService
from ogel.features.accounts.factors.store import TOTP
from ogel.features.accounts.gotrue.bodies import Json, bad_json, read
from ogel.features.accounts.gotrue.paths import id_in
from ogel.features.accounts.gotrue.shapes import session_shape
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

Shape = dict[str, Any]


class NewFactor(Struct, frozen=True):
    factor_type: str = ""
    friendly_name: str = ""
    issuer: str | None = None


class Code(Struct, frozen=True):
    challenge_id: str | None = None
    code: str = ""


class FactorRoutes:
    def __init__(self, service: FactorService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        access, tries = Access("user", None, "write"), Access("user", None, "sign_in")
        one = "/factors/{factor_id}"
        return [
            Route("POST", "/factors", self._enroll, access.audited("factor.enroll"),
                  "Add an authenticator app, which counts once a code of it was right", body=Json, returns=Shape),
            Route("POST", one + "/challenge", self._challenge, access,
                  "Begin to show a factor", body=Json, body_optional=True, returns=Shape),
            Route("POST", one + "/verify", self._verify, tries.audited("auth.factor_verified", "factor.refuse"),
                  "Raise the session to aal2 by a factor's code", body=Json, returns=Shape),
            Route("DELETE", one, self._unenroll, access.audited("factor.delete"),
                  "Remove a factor", returns=Shape),
        ]  # fmt: skip

    async def _enroll(self, call: Call[Json, Any]) -> Shape:
        new = read(NewFactor, call.body)
        _check_type(new.factor_type)
        enrolled = await self._service.enroll(call.caller, new.friendly_name, new.issuer)
        return {
            "id": enrolled.factor.id,
            "type": TOTP,
            "friendly_name": enrolled.factor.friendly_name or "",
            "totp": {"qr_code": enrolled.qr_code, "secret": enrolled.secret, "uri": enrolled.uri},
        }

    async def _challenge(self, call: Call[Json | None, Any]) -> Shape:
        challenge = await self._service.challenge(call.caller, id_in(call, "factor_id"))
        expires_at = int(challenge.expires_at.timestamp())
        return {"id": challenge.id, "type": challenge.factor_type, "expires_at": expires_at}

    async def _verify(self, call: Call[Json, Any]) -> Shape:
        given = read(Code, call.body)
        challenge_id = None if given.challenge_id is None else _uuid(given.challenge_id)
        factor_id = id_in(call, "factor_id")
        return session_shape(await self._service.verify(call.caller, factor_id, challenge_id, given.code))

    async def _unenroll(self, call: Call[Any, Any]) -> Shape:
        return {"id": await self._service.unenroll(call.caller, id_in(call, "factor_id"))}


def _check_type(factor_type: str) -> None:
    if factor_type == "phone":
        raise AccountError(422, "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")
    if factor_type == "webauthn":
        raise AccountError(422, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn")
    if factor_type != TOTP:
        message = "factor_type needs to be totp, phone, or webauthn"
        raise AccountError(400, "validation_failed", message)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise bad_json(f"{text[:100]!r} is no UUID") from error
