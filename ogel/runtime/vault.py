"""Secrets at rest: AES-256-GCM under a key derived from OGEL_SECRET."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_VERSION = b"\x01"


class Unsealable(Exception):
    """The bytes were sealed under another OGEL_SECRET, for another purpose, or were changed."""


class Vault:
    """Sealed bytes are version, nonce, ciphertext and tag; `purpose` must be the same at both ends."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        # The same few secrets are needed for every request that is signed.
        self.unseal = lru_cache(maxsize=1024)(self._unseal)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def _unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Raises Unsealable."""
        from cryptography.exceptions import InvalidTag

        if sealed[:1] != _VERSION:
            raise Unsealable("unknown version")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, purpose.encode())
        except InvalidTag:
            raise Unsealable("not sealed with this OGEL_SECRET") from None

    @cached_property
    def _cipher(self) -> AESGCM:
        # Imported at first use: it is 7 MB, and most workers never open a secret.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return AESGCM(
            HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ogel vault v1").derive(self._secret)
        )
