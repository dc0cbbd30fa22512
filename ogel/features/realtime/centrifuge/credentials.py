"""Who is behind the token that a client brings when it is connected already."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from ogel.features.realtime.centrifuge.codes import INVALID_TOKEN, TOKEN_EXPIRED, Ended, Refused
from ogel.kernel.errors import OgelError, RateLimited
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.credentials import TOKEN, Authenticators, key_or_token


class _Times(Struct):
    exp: float = 0.0


class Credentials:
    def __init__(self, authenticators: Callable[[], Authenticators]) -> None:
        """They are those of requests, of all features."""
        self._authenticators = authenticators

    async def principal(self, token: str, caller: Caller) -> Principal:
        """Takes a key or a user's access token. Raises Ended, or Refused when a new token would do."""
        credential = key_or_token(token)
        authenticate = self._authenticators().get(credential.kind)
        try:
            principal = None if authenticate is None else await authenticate(credential, caller)
        except OgelError as error:
            if error.status >= 500 or isinstance(error, RateLimited):
                raise
            principal = None
        if principal is None:
            if credential.kind == TOKEN and 0 < _expires_at(token) <= time.time():
                raise Refused(TOKEN_EXPIRED)
            raise Ended(INVALID_TOKEN)
        return principal


def expires_at(principal: Principal) -> float | None:
    """When the token has to be followed by another, in seconds since 1970. Keys have no such time."""
    found = principal.claims.get("exp")
    return float(found) if isinstance(found, int | float) else None


def _expires_at(token: str) -> float:
    """What a token that nobody believes says of itself; 0: nothing."""
    from jwt.utils import base64url_decode

    try:
        return msgspec.json.decode(base64url_decode(token.split(".")[1]), type=_Times).exp
    except (ValueError, IndexError, msgspec.MsgspecError, RecursionError):
        return 0.0
