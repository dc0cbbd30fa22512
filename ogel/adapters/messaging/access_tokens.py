"""Google's access tokens, each valid for an hour, requested with a signed claim (RFC 7523) when needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct

from ogel.runtime.delivery.provider_calls import post_form, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLAIM_SECONDS = 3600
# A token is not used for this long before its end, because it could expire on the way.
MARGIN_SECONDS = 300.0


class ServiceAccount(Struct, frozen=True):
    """The fields of the JSON key file that are needed; `private_key` is PEM."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str | None = None

    @property
    def secrets(self) -> Sequence[str]:
        """Every line of the key is secret."""
        lines = self.private_key.splitlines()
        return [self.private_key, *(line for line in lines if not line.startswith("-----"))]


class _Granted(Struct):
    access_token: str
    expires_in: float = 3600.0


class _Denied(Struct):
    error: str = ""
    error_description: str = ""


class AccessTokens:
    """
    Requests one token at a time, however many callers wait. `scrub` knows the current token and the account's key.
    """

    def __init__(
        self, outgoing: Outgoing, account: ServiceAccount, clock: Callable[[], float] = time.time
    ) -> None:
        self._outgoing = outgoing
        self._account = account
        self._clock = clock
        self._asking = asyncio.Lock()
        self._token = ""
        self.scrub = Scrubber(account.secrets)
        self._good_until = 0.0

    async def current(self) -> str:
        """Returns a valid token. Raises ProviderError."""
        async with self._asking:
            if self._clock() >= self._good_until:
                granted = await self._ask()
                self._token = granted.access_token
                self.scrub = Scrubber([*self._account.secrets, self._token])
                margin = min(MARGIN_SECONDS, granted.expires_in / 2)
                self._good_until = self._clock() + granted.expires_in - margin
            return self._token

    def forget(self, token: str) -> None:
        """Drops a token that was not accepted, but not a newer one that was requested meanwhile."""
        if token == self._token:
            self._good_until = 0.0

    async def _ask(self) -> _Granted:
        claim = self._claim()
        form = {"grant_type": GRANT, "assertion": claim}
        answer = await post_form(self._outgoing, self._account.token_uri, (), form)
        granted = read(answer, _Granted) if answer.status == 200 else None
        if granted is not None:
            return granted
        denied, scrub = read(answer, _Denied) or _Denied(), Scrubber([*self._account.secrets, claim])
        message = f"Google gave no access token: {answer.status} {shown(denied.error, scrub)}".rstrip()
        if answer.status == 429 or answer.status >= 500:
            raise ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
        raise ProviderError(f"{message} {shown(denied.error_description, scrub)}".rstrip(), ours=True)

    def _claim(self) -> str:
        import jwt

        account, now = self._account, int(self._clock())
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + CLAIM_SECONDS,
        }
        named = {"kid": account.private_key_id} if account.private_key_id else None
        return jwt.encode(claims, self._key, algorithm="RS256", headers=named)

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self._account.private_key.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise ProviderError("the service account's private key cannot be read", ours=True) from error
        if not isinstance(key, RSAPrivateKey):
            raise ProviderError("the service account's private key is no RSA key", ours=True)
        return key
