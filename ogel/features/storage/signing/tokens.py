"""What stands in signed URLs: tokens (JWT, HS256) under a key of our own, in the shape of Supabase's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from ogel.features.storage.errors import invalid_signature, invalid_token
from ogel.runtime.secrets.vault import Vault

Purpose = Literal["download", "render", "upload"]

_ALGORITHM = "HS256"
_KEY = "signed URLs of storage"


class UrlTokens:
    """Tokens are good under all secrets of the vault, and so outlive the change of OGEL_SECRET."""

    def __init__(self, vault: Vault) -> None:
        self._keys = vault.keys_for(_KEY)

    def make(self, purpose: Purpose, bucket: str, name: str, seconds: int, **claims: object) -> str:
        import jwt

        now = int(time.time())
        said = {**claims, "url": f"{bucket}/{name}", "scope": purpose, "iat": now, "exp": now + seconds}
        return jwt.encode(said, self._keys[0], _ALGORITHM, headers={"typ": None})

    def read(self, token: str, purpose: Purpose, bucket: str) -> tuple[str, Mapping[str, Any]]:
        """
        The name of the object in that bucket, and the claims. One without a scope is for downloads, as such were once.
        Raises StorageError InvalidJWT, InvalidSignature.
        """
        claims = self._verified(token)
        url, scope = claims.get("url"), claims.get("scope", "download")
        if not isinstance(url, str) or not url.startswith(f"{bucket}/"):
            raise invalid_signature("Invalid signature")
        if scope != purpose:
            raise invalid_signature(f"Token is not scoped for {purpose}")
        return url[len(bucket) + 1 :], claims

    def _verified(self, token: str) -> Mapping[str, Any]:
        import jwt

        for key in self._keys:
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    [_ALGORITHM],
                    options={"require": ["exp"], "verify_aud": False, "verify_iat": False},
                )
                return claims
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError as error:
                raise invalid_token('"exp" claim timestamp check failed') from error
            except (jwt.PyJWTError, ValueError, RecursionError) as error:
                raise invalid_token("Invalid Compact JWS") from error
        raise invalid_token("signature verification failed")
