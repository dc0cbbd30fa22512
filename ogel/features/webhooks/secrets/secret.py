"""An endpoint's secret as people hold it: `whsec_` for `v1`, `whsk_` and its public half `whpk_` for `v1a`."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

Signing = Literal["v1", "v1a"]
SecretText = Annotated[
    str,
    Meta(
        min_length=24,
        max_length=100,
        description="`whsec_` and 24 to 64 bytes in base64, or `whsk_` and an Ed25519 seed with its public key.",
    ),
]

PREFIXES: dict[Signing, str] = {"v1": "whsec_", "v1a": "whsk_"}
PUBLIC_PREFIX = "whpk_"
# Standard Webhooks 1.0.0 asks for 24 to 64 bytes of a symmetric secret.
_LEAST_BYTES, _MOST_BYTES = 24, 64
_NEW_BYTES = 32
_SEED_BYTES = 32
PUBLIC_BYTES = 32
_HINT_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Secret:
    """`material` is the HMAC key of `v1`; for `v1a` the Ed25519 seed and the public key that follows from it."""

    signing: Signing
    material: bytes = field(repr=False)

    @classmethod
    def new(cls, signing: Signing) -> Secret:
        if signing == "v1":
            return cls("v1", secrets.token_bytes(_NEW_BYTES))
        seed = secrets.token_bytes(_SEED_BYTES)
        return cls("v1a", seed + _public_half(seed))

    @classmethod
    def parse(cls, text: str, signing: Signing | None = None) -> Secret:
        """
        Its prefix says what it signs; without one it is `v1`, and base64 padding may be missing. Raises ValueError
        saying what is wrong, or that it is no secret for `signing`.
        """
        found: Signing = "v1a" if text.startswith(PREFIXES["v1a"]) else "v1"
        if signing not in (None, found):
            raise ValueError(
                f"does not begin with {PREFIXES[signing or 'v1']!r}, as a secret for {signing} does"
            )
        prefix = PREFIXES[found]
        material = _decoded(text.removeprefix(prefix), prefix)
        if found == "v1" and not _LEAST_BYTES <= len(material) <= _MOST_BYTES:
            raise ValueError(f"has {len(material)} bytes; a secret has {_LEAST_BYTES} to {_MOST_BYTES}")
        if found == "v1a":
            _check_halves(material)
        return cls(found, material)

    @property
    def text(self) -> str:
        return PREFIXES[self.signing] + base64.b64encode(self.material).decode()

    @property
    def public_key(self) -> str | None:
        """What a receiver of `v1a` verifies with; `v1` has none."""
        if self.signing == "v1":
            return None
        return PUBLIC_PREFIX + base64.b64encode(self.material[_SEED_BYTES:]).decode()

    @property
    def seed(self) -> bytes:
        """Of the Ed25519 key."""
        return self.material[:_SEED_BYTES]

    @property
    def hint(self) -> str:
        """Enough to tell secrets of one endpoint apart, and useless for anything else."""
        return f"{PREFIXES[self.signing]}…{self.text.rstrip('=')[-_HINT_CHARACTERS:]}"


def parse_public_key(text: str) -> bytes:
    """The 32 bytes. Raises ValueError saying what is wrong."""
    if not text.startswith(PUBLIC_PREFIX):
        raise ValueError(f"does not begin with {PUBLIC_PREFIX!r}")
    key = _decoded(text.removeprefix(PUBLIC_PREFIX), PUBLIC_PREFIX)
    if len(key) != PUBLIC_BYTES:
        raise ValueError(f"has {len(key)} bytes; a public key has {PUBLIC_BYTES}")
    return key


def secret_purpose(webhook_id: str) -> str:
    return f"webhook-secret:{webhook_id}"


def _decoded(encoded: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"is not base64 after {prefix!r}") from None


def _check_halves(material: bytes) -> None:
    wanted = _SEED_BYTES + PUBLIC_BYTES
    if len(material) != wanted:
        raise ValueError(f"has {len(material)} bytes; an Ed25519 secret has {wanted}: seed, then public key")
    if _public_half(material[:_SEED_BYTES]) != material[_SEED_BYTES:]:
        raise ValueError("ends in a public key that is not its seed's")


def _public_half(seed: bytes) -> bytes:
    # Imported at first use: only `v1a` needs it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
