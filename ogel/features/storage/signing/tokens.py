"""What stands in signed URLs: tokens (JWT, HS256) under a key of our own, in the shape of Supabase's."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ogel.features.storage.errors import invalid_signature, invalid_token
from ogel.runtime.secrets.vault import Vault

Purpose = Literal["download", "render", "upload"]
Claims = Mapping[str, Any]

_HEADER = urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=")
_KEY = "signed URLs of storage"


class UrlTokens:
    """Tokens are good under all secrets of the vault, and so outlive a change of OGEL_SECRET."""

    def __init__(self, vault: Vault) -> None:
        self._keys = vault.keys_for(_KEY)

    def make(self, purpose: Purpose, bucket: str, name: str, seconds: int, **claims: object) -> str:
        now = int(time.time())
        said = {**claims, "url": f"{bucket}/{name}", "scope": purpose, "iat": now, "exp": now + seconds}
        return self.signed(said)

    def signed(self, claims: Claims) -> str:
        content = _HEADER + b"." + _encoded(msgspec.json.encode(claims))
        return (content + b"." + _signature(self._keys[0], content)).decode("ascii")

    def read(self, token: str, purpose: Purpose, bucket: str) -> tuple[str, Claims]:
        """
        The name of the object in that bucket, and the claims. One without a scope is for downloads, as such were once.
        Raises StorageError InvalidJWT, InvalidSignature.
        """
        claims = self._verified(token)
        url = claims.get("url")
        if not isinstance(url, str) or not url.startswith(f"{bucket}/"):
            raise invalid_signature("Invalid signature")
        if claims.get("scope", "download" if purpose == "download" else None) != purpose:
            raise invalid_signature(f"Token is not scoped for {purpose}")
        return url[len(bucket) + 1 :], claims

    def _verified(self, token: str) -> Claims:
        content, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        header, _, payload = content.partition(b".")
        if _decoded(header).get("alg") != "HS256":
            raise invalid_token('"alg" (Algorithm) Header Parameter value not allowed')
        if not any(hmac.compare_digest(signature, _signature(key, content)) for key in self._keys):
            raise invalid_token("signature verification failed")
        claims = _decoded(payload)
        ends = claims.get("exp")
        if not isinstance(ends, int) or ends <= time.time():
            raise invalid_token('"exp" claim timestamp check failed')
        return claims


def _signature(key: bytes, content: bytes) -> bytes:
    return _encoded(hmac.digest(key, content, "sha256"))


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


def _decoded(part: bytes) -> Claims:
    try:
        claims: Claims = msgspec.json.decode(
            urlsafe_b64decode(part + b"=" * (-len(part) % 4)), type=dict[str, Any]
        )
    except (ValueError, RecursionError) as error:  # msgspec's and binascii's are ValueErrors
        raise invalid_token("Invalid Compact JWS") from error
    return claims
