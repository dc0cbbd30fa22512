"""What is remembered of a sign-in while the browser is away at the other site, sealed."""

from __future__ import annotations

import hmac
from datetime import timedelta
from hashlib import sha256

import msgspec
from msgspec import Struct

# As `amr` and flows name it.
METHOD = "oauth"
FLOW_LIFETIME = timedelta(minutes=10)


class Remembered(Struct, frozen=True):
    """
    nonce, verifier  of the Attempt.
    browser          hash of the secret that the browser shows again; None: it could not keep one.
    session_id       where an account is to be added: the session that asked for it.
    """

    nonce: str
    verifier: str
    browser: str | None
    session_id: str | None

    def is_of(self, browser: str | None) -> bool:
        """Whether this is the browser that left."""
        if self.browser is None:
            return True
        return browser is not None and hmac.compare_digest(hash_of(browser), self.browser)

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


class ProviderTokens(Struct, frozen=True, omit_defaults=True):
    """The provider's tokens, as clients of Supabase Auth get them beside the session. We keep none."""

    provider_token: str
    provider_refresh_token: str | None = None

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


def hash_of(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
