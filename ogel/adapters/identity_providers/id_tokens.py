"""ID tokens (OpenID Connect Core §3.1.3.7), checked against the keys that their issuer publishes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from ogel.adapters.identity_providers.published_keys import PublishedKeys
from ogel.kernel.text import storable
from ogel.runtime.identity_provider import BadIdToken, WrongAudience

MAX_TOKEN_BYTES = 16 * 1024
LEEWAY_SECONDS = 30
# Of keys that only their owner can sign with: a shared secret would let any client of it sign, and `none` everybody.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
_REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
_MAX_SUBJECT_CHARACTERS = 255

Claims = Mapping[str, Any]


class IdTokens:
    """`issuers` are the names that the issuer writes into its tokens; mostly there is one."""

    def __init__(self, keys: PublishedKeys, issuers: Sequence[str], client_ids: Sequence[str]) -> None:
        self._keys = keys
        self._issuers = list(issuers)
        self._client_ids = client_ids

    async def claims(self, token: str, access_token: str | None) -> Claims:
        """Returns what a good token says. Raises BadIdToken, WrongAudience, and ProviderError without keys."""
        import jwt

        header = _header(token)
        key = await self._keys.meant_by(header)
        try:
            said: Claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=self._issuers,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED, "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BadIdToken(f"the ID token was refused: {type(error).__name__}") from error
        self._check(said)
        _check_access_token(said.get("at_hash"), access_token, header["alg"])
        return said

    def _check(self, said: Claims) -> None:
        audience = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
        if not any(each in self._client_ids for each in audience):
            raise WrongAudience([str(each) for each in audience])
        # A token for several was made for the one that `azp` names.
        if len(audience) > 1 and said.get("azp") not in self._client_ids:
            raise WrongAudience([str(said.get("azp"))])
        subject = said["sub"]
        if not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS or subject != storable(subject):
            raise BadIdToken("the ID token's subject is none that can be kept")


def _header(token: str) -> Claims:
    import jwt

    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise BadIdToken("the ID token is too long, or no token")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise BadIdToken("the ID token cannot be read") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header:
        raise BadIdToken("the ID token is signed in a way that is not taken")
    return header


def _check_access_token(hashed: object, access_token: str | None, algorithm: str) -> None:
    """Holds the access token against `at_hash` (§3.1.3.6). EdDSA says no hash, and then nothing can be held."""
    if access_token is None or not isinstance(hashed, str) or (hash := _HASHES.get(algorithm[-3:])) is None:
        return
    digest = hash(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(hashed.encode(), half):
        raise BadIdToken("the ID token belongs to another access token")
