"""/.well-known: what others verify our tokens with (RFC 7517), and where things are (OpenID Connect Discovery)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.signing.keys import SigningKeys
from ogel.runtime.http.access import OPEN
from ogel.runtime.http.route import Call, Reply, Route

# Keys are published an hour before they sign, so that this may be old.
_CACHED = {"cache-control": "public, max-age=600"}
_CLAIMS = (
    "sub",
    "aud",
    "iss",
    "exp",
    "iat",
    "jti",
    "email",
    "phone",
    "role",
    "session_id",
    "aal",
    "amr",
    "app_metadata",
    "user_metadata",
    "is_anonymous",
)


class WellKnownRoutes:
    def __init__(self, keys: SigningKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/.well-known/jwks.json", self._jwks, OPEN, "Public keys of tokens", returns=dict),
            Route("GET", "/.well-known/openid-configuration", self._configuration, OPEN,
                  "What there is, and where", returns=dict),
        ]  # fmt: skip

    async def _jwks(self, call: Call[Any, Any]) -> Reply:
        keys = [key.public_jwk for key in await self._keys.published()]
        return Reply({"keys": keys}, headers=_CACHED)

    async def _configuration(self, call: Call[Any, Any]) -> Reply:
        """Without what there is not: no `plain` challenges, no authorization server for others."""
        keys = await self._keys.published()
        document = {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/.well-known/jwks.json",
            "userinfo_endpoint": f"{self._issuer}/user",
            "scopes_supported": ["openid", "profile", "email", "phone"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["password", "refresh_token", "pkce", "id_token"],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["none"],
            "id_token_signing_alg_values_supported": sorted(
                {self._keys.algorithm, *(key.algorithm for key in keys)}
            ),
            "claims_supported": _CLAIMS,
            "code_challenge_methods_supported": ["S256"],
        }
        return Reply(document, headers=_CACHED)
