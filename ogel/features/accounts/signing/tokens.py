"""Access tokens: JWTs (RFC 7519, RFC 8725), signed here, and verified by everybody who has our public keys."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import Struct

from ogel.features.accounts.errors import BadToken
from ogel.features.accounts.signing.keys import SigningKeys

if TYPE_CHECKING:
    from ogel.runtime.database.database import Transaction

Claims = Mapping[str, Any]

AUDIENCE = "authenticated"
TYPE = "JWT"
MOST_BYTES = 8192
# A browser's cookie holds no more, and with a larger header some proxies refuse the request.
MOST_WITH_METADATA_BYTES = 4096
# How far clocks may be apart.
LEEWAY_SECONDS = 30
# Of verified tokens that are remembered: about two thousand of usual size, whose claims take a few times as much.
MOST_REMEMBERED_BYTES = 2 * 1024 * 1024
# Roles that keys of a Supabase project name.
LEGACY_ROLES = ("service_role", "supabase_admin", "anon")
_REQUIRED = ("iss", "sub", "aud", "exp", "iat", "jti", "session_id")


class _Verified(Struct, frozen=True):
    """`kid` is None for a token that the legacy secret has signed."""

    claims: Claims
    kid: str | None
    size: int


class Tokens:
    """
    The algorithm that counts is the key's, never the header's; keys come from our table alone (`jku`, `x5u` and `jwk`
    are not looked at). HS256 is known only with `legacy_secret`, that of a Supabase project which people come from.
    """

    def __init__(
        self, keys: SigningKeys, issuer: str, lifetime_seconds: int, legacy_secret: str | None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self.lifetime_seconds = lifetime_seconds
        self._legacy_secret = legacy_secret
        # Oldest first, by the SHA-256 of the token.
        self._remembered: dict[bytes, _Verified] = {}
        self._remembered_bytes = 0

    async def sign(self, claims: Claims, tx: Transaction | None = None) -> tuple[str, int]:
        """
        Adds issuer, audience, `jti` and times. Returns the token and when it expires, in seconds since 1970. What users
        wrote of themselves is left out of a token that would become large, and what operators wrote, too, of one that
        could not be used.
        """
        signer = await self._keys.signer(tx)
        now = int(time.time())
        expires_at = now + self.lifetime_seconds
        whole = {
            "iss": self._issuer,
            "sub": claims["sub"],
            "aud": AUDIENCE,
            "exp": expires_at,
            "iat": now,
            "jti": str(uuid4()),
            **claims,
        }
        token = _encoded(whole, signer.private, signer.algorithm, signer.kid)
        for metadata, most in (("user_metadata", MOST_WITH_METADATA_BYTES), ("app_metadata", MOST_BYTES)):
            if len(token) > most:
                whole[metadata] = {}
                token = _encoded(whole, signer.private, signer.algorithm, signer.kid)
        return token, expires_at

    async def verify(self, token: str) -> Claims:
        """Raises BadToken. A token that was verified before is not verified again."""
        if len(token) > MOST_BYTES or not token.isascii():
            raise BadToken(f"invalid JWT: it is no token of at most {MOST_BYTES} characters of ASCII")
        digest = sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known is None:
            known = await self._verified(token)
            self._remember(digest, known)
        elif known.kid is not None and await self._keys.verifier(known.kid) is None:
            raise BadToken("invalid JWT: its key is not known")
        elif time.time() >= known.claims["exp"] + LEEWAY_SECONDS:
            raise BadToken("invalid JWT: it is expired")
        return known.claims

    async def _verified(self, token: str) -> _Verified:
        header = _header(token)
        kid = header.get("kid")
        if str(header.get("typ", TYPE)).upper() != TYPE:
            raise BadToken("invalid JWT: its type is another one")
        verifier = await self._keys.verifier(kid) if isinstance(kid, str) else None
        if verifier is None and header.get("alg") == "HS256" and self._legacy_secret is not None:
            return _Verified(_legacy(token, self._legacy_secret), None, len(token))
        if verifier is None:
            raise BadToken("invalid JWT: its key is not known")
        claims = _decoded(token, verifier.public, verifier.algorithm, self._issuer, AUDIENCE, _REQUIRED)
        return _Verified(claims, kid, len(token))

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        if digest in self._remembered:
            return
        self._remembered[digest] = verified
        self._remembered_bytes += verified.size
        while self._remembered_bytes > MOST_REMEMBERED_BYTES:
            self._remembered_bytes -= self._remembered.pop(next(iter(self._remembered))).size


def _encoded(claims: Claims, private: Any, algorithm: str, kid: str) -> str:
    import jwt

    return jwt.encode(dict(claims), private, algorithm, headers={"kid": kid, "typ": TYPE})


def _header(token: str) -> dict[str, Any]:
    from jwt.utils import base64url_decode

    try:
        header = _object(base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise BadToken("invalid JWT: its header cannot be read") from error
    return header


def _decoded(
    token: str, key: Any, algorithm: str, issuer: str | None, audience: str | None, required: Sequence[str]
) -> Claims:
    """Verifies signature, times, and the claims that are required. Raises BadToken."""
    import jwt
    from jwt.utils import base64url_decode

    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            [algorithm],
            options={"require": list(required), "verify_aud": audience is not None},
            issuer=issuer,
            audience=audience,
            leeway=LEEWAY_SECONDS,
        )
        _object(base64url_decode(token.split(".")[1]))
    except jwt.MissingRequiredClaimError as error:
        raise BadToken(f"invalid claim: missing {error.claim} claim") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise BadToken(f"invalid JWT: {error}") from error
    return claims


def _legacy(token: str, secret: str) -> Claims:
    """
    Keys of a Supabase project are tokens that name a role and nobody; those of people are held to what ours are, save
    the issuer, which was another one.
    """
    claims = _decoded(token, secret, "HS256", None, None, ("exp",))
    if "sub" not in claims:
        if claims.get("role") not in LEGACY_ROLES:
            raise BadToken("invalid claim: missing sub claim")
        return claims
    return _decoded(token, secret, "HS256", None, AUDIENCE, ("sub", "aud", "exp", "session_id"))


def _object(text: bytes) -> dict[str, Any]:
    """Raises ValueError for JSON that is no object, or has a name twice: readers do not agree on which one counts."""
    parsed = json.loads(text, object_pairs_hook=_without_repetition)
    if not isinstance(parsed, dict):
        raise ValueError("it is no JSON object")
    return parsed


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("it says something twice")
    return members
