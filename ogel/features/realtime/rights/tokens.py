"""
Subscription tokens: a program of the operators lets one user into one channel, for a while. JWTs signed with HS256, of
the claims that clients of Centrifugo know: `channel`, `exp`, and `sub`, the user.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ogel.kernel.principal import Principal

PURPOSE = "realtime subscription token"
MOST_CHARACTERS = 4096
_ALGORITHM = "HS256"


class BadSubscriptionToken(Exception):
    """It is not ours, or not for this channel or user."""


class ExpiredSubscriptionToken(BadSubscriptionToken):
    """It was good once."""


class SubscriptionTokens:
    def __init__(self, keys: Sequence[bytes]) -> None:
        """The first signs, all are believed."""
        self._keys = keys

    def sign(self, channel: str, user: str | None, seconds: int) -> tuple[str, int]:
        """For whoever has it, if no user is named. Returns it with when it expires, in seconds since 1970."""
        import jwt

        expires_at = int(time.time()) + seconds
        claims = {"channel": channel, "exp": expires_at} | ({} if user is None else {"sub": user})
        return jwt.encode(claims, self._keys[0], _ALGORITHM), expires_at

    def verify(self, token: str, channel: str, principal: Principal) -> float:
        """Returns when it expires. Raises BadSubscriptionToken."""
        claims = self._claims(token)
        if claims.get("channel") != channel or (claims.get("sub") or principal.id) != principal.id:
            raise BadSubscriptionToken
        return float(claims["exp"])

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        if len(token) > MOST_CHARACTERS or not token.isascii():
            raise BadSubscriptionToken
        for key in self._keys:
            try:
                options: Any = {"require": ["exp", "channel"]}
                return jwt.decode(token, key, [_ALGORITHM], options=options)
            except jwt.ExpiredSignatureError as error:
                raise ExpiredSubscriptionToken from error
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
                raise BadSubscriptionToken from error
        raise BadSubscriptionToken
