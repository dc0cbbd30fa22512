"""VAPID (RFC 8292): identifies us to push services by a token, signed with ES256 for each of them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.adapters.messaging.encryption import uncompressed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

# A token may last a day (RFC 8292 §2); one is used for half of its time.
TOKEN_SECONDS = 12 * 3600
MOST_KEPT = 256


class Vapid:
    """`private_key` is the 32 bytes of a P-256 key in base64url; `subject` a `mailto:` or `https:` URL to reach us."""

    def __init__(self, private_key: str, subject: str, clock: Callable[[], float] = time.time) -> None:
        self._private_key = private_key
        self._subject = subject
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}

    @cached_property
    def public_key(self) -> str:
        """Returns what a browser needs as `applicationServerKey`: base64url of the uncompressed point."""
        return base64url(uncompressed(self._key))

    def authorization(self, origin: str) -> str:
        """Returns the value of the Authorization header for the push service at `origin`."""
        token, good_until = self._tokens.pop(origin, ("", 0.0))
        now = self._clock()
        if now >= good_until:
            token, good_until = self._signed(origin, int(now)), now + TOKEN_SECONDS / 2
        self._tokens[origin] = (token, good_until)  # now the one used last
        if len(self._tokens) > MOST_KEPT:
            del self._tokens[next(iter(self._tokens))]
        return f"vapid t={token}, k={self.public_key}"

    def forget(self, origin: str) -> None:
        """Drops a token that was not accepted: our clock may have been wrong when it was made."""
        self._tokens.pop(origin, None)

    def _signed(self, origin: str, now: int) -> str:
        import jwt

        claims = {"aud": origin, "exp": now + TOKEN_SECONDS, "sub": self._subject}
        return jwt.encode(claims, self._key, algorithm="ES256")

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec

        scalar = base64.urlsafe_b64decode(self._private_key + "=" * (-len(self._private_key) % 4))
        return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())


def new_private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec

    scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64url(scalar.to_bytes(32, "big"))


def base64url(raw: bytes) -> str:
    """Encodes without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
