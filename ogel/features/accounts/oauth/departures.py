"""Sending a browser to another site to sign in there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.codes.flows import FlowService
from ogel.features.accounts.oauth.calls import ProviderCalls, away
from ogel.features.accounts.oauth.remembered import FLOW_LIFETIME, METHOD, Remembered, hash_of
from ogel.features.accounts.oauth.store import OAuthStore
from ogel.features.accounts.providers import Providers
from ogel.runtime.database.database import Database
from ogel.runtime.identity_provider import Attempt, ProviderError, random_text


class Linking(Struct, frozen=True):
    """Who asked for the account to be added to theirs, in which session."""

    user_id: UUID
    session_id: str


class Departure(Struct, frozen=True):
    """
    provider   its name.
    scopes     asked for beside the usual ones.
    more       the provider's own parameters.
    challenge  the client's (PKCE): it wants a code to exchange.
    browser    a secret that this browser will show again; None: it cannot keep one.
    """

    provider: str
    redirect_to: str
    scopes: Sequence[str]
    more: Mapping[str, str]
    challenge: str | None
    browser: str | None
    linking: Linking | None = None


class Departures:
    """`callback_url` is where providers send browsers back to, to the letter."""

    def __init__(
        self,
        database: Database,
        store: OAuthStore,
        providers: Providers,
        flows: FlowService,
        calls: ProviderCalls,
        callback_url: str,
    ) -> None:
        self._database = database
        self._store = store
        self._providers = providers
        self._flows = flows
        self._calls = calls
        self._callback_url = callback_url

    async def depart(self, departure: Departure) -> str:
        """Returns where the browser goes. Raises AccountError, and Unavailable when the provider is away."""
        provider = self._providers.named(departure.provider)
        nonce, verifier = random_text(), random_text()
        attempt = Attempt(str(await self._begun(departure, nonce, verifier)), nonce, verifier)
        going = provider.authorization_url(self._callback_url, attempt, departure.scopes, departure.more)
        try:
            return await self._calls.wait(departure.provider, going)
        except ProviderError as error:
            raise away() from error

    async def _begun(self, departure: Departure, nonce: str, verifier: str) -> UUID:
        linking, browser = departure.linking, departure.browser
        remembered = Remembered(
            nonce,
            verifier,
            None if browser is None else hash_of(browser),
            None if linking is None else linking.session_id,
        )
        async with self._database.transaction() as tx:
            if linking is not None:
                await self._store.check_may_link(tx, linking.user_id, linking.session_id)
            return await self._flows.begin(
                tx,
                departure.provider,
                METHOD,
                departure.challenge,
                departure.redirect_to,
                FLOW_LIFETIME,
                user_id=None if linking is None else linking.user_id,
                secrets=remembered.encoded(),
                linking=linking is not None,
            )
