"""Encrypts secrets at rest: AES-256-GCM with a key derived from OGEL_SECRET. Sealed bytes contain the key's id."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_KEY_BYTES = 32
# Version 1 has no key id, so every key is tried.
_WITHOUT_KEY_ID = b"\x01"
_WITH_KEY_ID = b"\x02"
REMEDY = "put that one into OGEL_SECRET_OLD (`ogel secrets --help`)"


class Unsealable(Exception):
    """
    The bytes were sealed under an unknown OGEL_SECRET, for another purpose, or were changed. Its text completes "it
    was …", and says what makes them readable.
    """


class _Key(Struct, frozen=True):
    id: bytes
    cipher: AESGCM


class Vault:
    """
    Sealed bytes are version (2), key id, nonce, ciphertext and tag; `purpose` must be the same at both ends.
    `former` secrets open what was sealed under them, and seal nothing.
    """

    def __init__(self, secret: str, former: Sequence[str] = ()) -> None:
        self._secrets = [secret, *former]
        self.unseal = lru_cache(maxsize=1024)(self.open)

    @property
    def key_ids(self) -> Sequence[bytes]:
        """Returns the ids of all keys that open; the first is the one that seals."""
        return list(self._keys)

    @property
    def header(self) -> bytes:
        """Returns the bytes that newly sealed values begin with."""
        return _WITH_KEY_ID + self._newest.id

    def seal(self, plain: bytes, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._newest.cipher.encrypt(nonce, plain, purpose.encode())
        return self.header + nonce + ciphertext

    def reseal(self, sealed: bytes, purpose: str) -> bytes:
        """Seals the same secret under the current key. Raises Unsealable."""
        return self.seal(self.open(sealed, purpose), purpose)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Opens without the cache that `unseal` has, for values that are large or used once. Raises Unsealable."""
        if sealed[:1] == _WITH_KEY_ID:
            id, rest = sealed[1 : 1 + KEY_ID_BYTES], sealed[1 + KEY_ID_BYTES :]
            key = self._keys.get(id)
            if key is None:
                raise Unsealable(
                    f"sealed under another OGEL_SECRET (its key is {id.hex()}, "
                    f"the present one's {self._newest.id.hex()}): {REMEDY}"
                )
            return _open(rest, purpose, [key])
        if sealed[:1] == _WITHOUT_KEY_ID:
            return _open(sealed[1:], purpose, list(self._keys.values()))
        raise Unsealable(
            "sealed by another version of Ogel, or changed since: what opens it is a newer version"
        )

    def mac(self, message: bytes, purpose: str) -> bytes:
        """
        HMAC-SHA-256 of the message, under a key of this purpose alone: for secrets that can be guessed, so that what is
        stored of them does not help to. The former secrets have no part in it.
        """
        return hmac.digest(self.keys_for(purpose)[0], message, "sha256")

    def keys_for(self, purpose: str) -> Sequence[bytes]:
        """Keys of this purpose alone, for signatures that others compute: the first signs, all are believed."""
        return [
            hmac.digest(each.encode(), f"ogel mac v1 {purpose}".encode(), "sha256") for each in self._secrets
        ]

    @property
    def _newest(self) -> _Key:
        return next(iter(self._keys.values()))

    @cached_property
    def _keys(self) -> Mapping[bytes, _Key]:
        return {key.id: key for key in map(_derive, dict.fromkeys(self._secrets))}


def _derive(secret: str) -> _Key:
    # Imported on first use: it takes 7 MB, and most workers never open a secret.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # The first bytes of HKDF do not depend on the output length (RFC 5869 §2.3). So the cipher's key is that of version
    # 1, and the id that follows reveals nothing about it.
    derived = HKDF(
        algorithm=SHA256(), length=_KEY_BYTES + KEY_ID_BYTES, salt=None, info=b"ogel vault v1"
    ).derive(secret.encode())
    return _Key(derived[_KEY_BYTES:], AESGCM(derived[:_KEY_BYTES]))


def _open(sealed: bytes, purpose: str, keys: Sequence[_Key]) -> bytes:
    from cryptography.exceptions import InvalidTag

    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for key in keys:
        try:
            return key.cipher.decrypt(nonce, ciphertext, purpose.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            continue
    raise Unsealable(f"sealed under another OGEL_SECRET, or changed since: {REMEDY}")
