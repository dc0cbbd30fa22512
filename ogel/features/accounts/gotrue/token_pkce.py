"""POST /token?grant_type=pkce: the code of a flow is exchanged for a session."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel.features.accounts.codes.verification import Verification
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import read
from ogel.features.accounts.gotrue.shapes import Json, session_shape
from ogel.runtime.http.route import Call


class PkceBody(msgspec.Struct, frozen=True):
    auth_code: str = ""
    code_verifier: str = ""


class PkceGrant:
    def __init__(self, verification: Verification) -> None:
        self._verification = verification

    async def answer(self, call: Call[Any, Any]) -> Json:
        """What a provider gave for the client comes with it: the flow kept a JSON object."""
        body = read(PkceBody, call.body)
        if not body.auth_code or not body.code_verifier:
            message = "invalid request: both auth code and code verifier should be non-empty"
            raise AccountError(400, "validation_failed", message)
        issued, secrets = await self._verification.exchange(call.caller, body.auth_code, body.code_verifier)
        given: Json = {} if secrets is None else msgspec.json.decode(secrets)
        return {**session_shape(issued), **given}
