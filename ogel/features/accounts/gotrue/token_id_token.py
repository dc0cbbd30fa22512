"""POST /token?grant_type=id_token: an app that has an ID token of a provider gets a session for it."""

from __future__ import annotations

from typing import Any

from ogel.features.accounts.errors import AccountError, IdTokenRefused
from ogel.features.accounts.gotrue.bodies import Guarded, read
from ogel.features.accounts.gotrue.shapes import Json, session_shape
from ogel.features.accounts.oauth.id_tokens import IdToken, IdTokenSignIn
from ogel.features.accounts.self_service.captcha import Captcha
from ogel.runtime.http.route import Call


class IdTokenBody(Guarded, frozen=True, kw_only=True):
    id_token: str = ""
    provider: str = ""
    issuer: str = ""
    client_id: str = ""
    access_token: str | None = None
    nonce: str = ""
    link_identity: bool = False


class IdTokenGrant:
    def __init__(self, id_tokens: IdTokenSignIn, captcha: Captcha) -> None:
        self._id_tokens = id_tokens
        self._captcha = captcha

    async def answer(self, call: Call[Any, Any]) -> Json:
        body = read(IdTokenBody, call.body)
        await self._captcha.check(call.caller, body.captcha_token)
        return session_shape(await self._id_tokens.sign_in(call.caller, _token(body)))


def _token(body: IdTokenBody) -> IdToken:
    if not body.id_token:
        raise IdTokenRefused("invalid request", "id_token required")
    if not body.provider and not (body.client_id and body.issuer):
        raise IdTokenRefused("invalid request", "provider or client_id and issuer required")
    if body.link_identity:
        raise AccountError(400, "validation_failed", "An ID token signs in; it adds no identity")
    return IdToken(body.id_token, body.provider, body.issuer, body.client_id, body.access_token, body.nonce)
