"""Keys that access tokens are signed with, and their public halves as JSON Web Keys (RFC 7517)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import Struct

Algorithm = Literal["EdDSA", "ES256"]
# standby   is published, so that everybody knows it before it signs.
# current   signs.
# previous  signs no more; what it has signed is still good.
# revoked   nothing that it has signed is good.
State = Literal["standby", "current", "previous", "revoked"]


class SigningKey(Struct, frozen=True, kw_only=True):
    """
    `kid` is the thumbprint of the public half (RFC 7638); `current_at` is when it began to sign, `retired_at` when it
    ceased to.
    """

    kid: str
    algorithm: Algorithm
    state: State
    public_jwk: dict[str, Any]
    created_at: datetime
    current_at: datetime | None
    retired_at: datetime | None


class NewSigningKey(Struct, frozen=True):
    """`pkcs8` is the private half (RFC 5958), in the clear."""

    kid: str
    algorithm: Algorithm
    public_jwk: Mapping[str, Any]
    pkcs8: bytes


def private_key_purpose(kid: str) -> str:
    """What the vault seals the private half for."""
    return f"signing_key:{kid}"


def generate(algorithm: Algorithm) -> NewSigningKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm
    from jwt.utils import base64url_encode

    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        required = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        required = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    kid = base64url_encode(sha256(msgspec.json.encode(required, order="sorted")).digest()).decode()
    jwk = {**required, "alg": algorithm, "key_ops": ["verify"], "kid": kid, "use": "sig"}
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return NewSigningKey(kid, algorithm, jwk, pkcs8)
