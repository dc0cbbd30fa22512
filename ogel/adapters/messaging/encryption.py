"""Message encryption for Web Push: RFC 8291, in one record of the `aes128gcm` coding (RFC 8188)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SALT_BYTES = 16
RECORD_BYTES = 4096
_LAST_RECORD = b"\x02"


def encrypt(
    plain: bytes,
    browser_key: bytes,
    browser_secret: bytes,
    sender: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """
    Encrypts for the browser with this public key (an uncompressed point) and secret. `sender` and `salt` are generated
    for each message; pass them only to reproduce a known one. Raises ValueError when the key is no point of the curve.
    """
    # Imported on first use: it takes 7 MB, and most workers send no push messages.
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sender = sender or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(SALT_BYTES)
    sender_key = uncompressed(sender)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser_key)
    shared = sender.exchange(ec.ECDH(), browser)
    keying = _hkdf(browser_secret, shared, b"WebPush: info\x00" + browser_key + sender_key, 32)
    key = _hkdf(salt, keying, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _hkdf(salt, keying, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(sender_key)]) + sender_key
    return header + AESGCM(key).encrypt(nonce, plain + _LAST_RECORD, None)


def uncompressed(key: EllipticCurvePrivateKey) -> bytes:
    """Returns the public key as 65 bytes."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _hkdf(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)
