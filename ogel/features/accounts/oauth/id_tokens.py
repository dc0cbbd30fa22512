"""Sign-in with an ID token that the app got itself, from Google's library on a phone for example."""

from __future__ import annotations

import hmac

from msgspec import Struct

from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.errors import IdTokenRefused
from ogel.features.accounts.oauth.admitting import Admittance, Admitting
from ogel.features.accounts.oauth.calls import ProviderCalls, away
from ogel.features.accounts.oauth.matching import Found, Matching
from ogel.features.accounts.oauth.remembered import METHOD, hash_of
from ogel.features.accounts.providers import Providers
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import User, acting
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Transaction
from ogel.runtime.identity_provider import BadIdToken, IdTokenReader, Person, ProviderError, WrongAudience


class IdToken(Struct, frozen=True):
    """
    Who issued it is said by `provider`, a name, or by `issuer` and `client_id`. `nonce` is what the app made up; the
    token has its SHA-256 in hex, so that whoever sees the token alone cannot use it.
    """

    id_token: str
    provider: str
    issuer: str
    client_id: str
    access_token: str | None
    nonce: str


class IdTokenSignIn:
    def __init__(
        self,
        providers: Providers,
        calls: ProviderCalls,
        matching: Matching,
        admitting: Admitting,
        sessions: SessionService,
        site_url: str,
    ) -> None:
        self._providers = providers
        self._calls = calls
        self._matching = matching
        self._admitting = admitting
        self._sessions = sessions
        self._site_url = site_url

    async def sign_in(self, caller: Caller, token: IdToken) -> Issued:
        """Signs in whom the token is about. Raises AccountError, IdTokenRefused and Unavailable."""
        name, provider = self._issuer(token)
        try:
            person = await self._read(name, provider, token)
        except IdTokenRefused as refused:
            await self._calls.failed(caller, name, refused.message)
            raise

        async def find(tx: Transaction) -> Found:
            return await self._matching.find(tx, caller, name, person)

        async def then(tx: Transaction, user: User) -> Issued:
            return await self._sessions.begin(tx, acting(caller, user), user, METHOD)

        link = LinkOptions(self._site_url)
        return await self._admitting.admit(caller, Admittance(name, find, then, link))

    def _issuer(self, token: IdToken) -> tuple[str, IdTokenReader]:
        if token.provider:
            return token.provider, self._providers.reader(token.provider)
        return self._providers.of_issuer(token.issuer, token.client_id)

    async def _read(self, name: str, provider: IdTokenReader, token: IdToken) -> Person:
        try:
            reading = provider.read(token.id_token, token.access_token)
            person, nonce = await self._calls.wait(name, reading)
        except WrongAudience as error:
            audience = " ".join(error.audience)[:200]
            raise _refused(f"Unacceptable audience in id_token: [{audience}]") from error
        except BadIdToken as error:
            raise _refused("Bad ID token") from error
        except ProviderError as error:
            raise away() from error
        if bool(token.nonce) != bool(nonce):
            raise _refused("Passed nonce and nonce in id_token should either both exist or not.")
        if nonce and not hmac.compare_digest(hash_of(token.nonce).encode(), nonce.encode()):
            raise IdTokenRefused("invalid nonce", "Nonces mismatch")
        return person


def _refused(message: str) -> IdTokenRefused:
    return IdTokenRefused("invalid request", message)
