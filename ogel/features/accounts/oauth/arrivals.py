"""Browsers that come back from another site, and whom it says they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from ogel.features.accounts.codes.flows import FlowService, flow_purpose
from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.oauth.admitting import Admittance, Admitting
from ogel.features.accounts.oauth.calls import ProviderCalls
from ogel.features.accounts.oauth.matching import Found, Matching
from ogel.features.accounts.oauth.remembered import FLOW_LIFETIME, METHOD, ProviderTokens, Remembered
from ogel.features.accounts.oauth.store import Flow, OAuthStore
from ogel.features.accounts.providers import Providers
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import User, acting
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.identity_provider import Attempt, Person, ProviderError, Redeemed
from ogel.runtime.secrets.vault import Unsealable, Vault


class Awaited(Struct, frozen=True):
    """A sign-in whose browser has come back."""

    flow: Flow
    remembered: Remembered

    @property
    def attempt(self) -> Attempt:
        return Attempt(str(self.flow.id), self.remembered.nonce, self.remembered.verifier)


class Returned(Struct, frozen=True):
    """
    What a browser brings back: the provider's code, and who sent it (RFC 9207). `languages` that it asks for.
    """

    code: str
    iss: str | None
    languages: Sequence[str] = ()


class Arrived(Struct, frozen=True):
    """Signed in, with a session or with a code that the client exchanges for one."""

    tokens: ProviderTokens
    issued: Issued | None = None
    code: str | None = None


class Arrivals:
    """`callback_url` as of Departures."""

    def __init__(
        self,
        database: Database,
        store: OAuthStore,
        providers: Providers,
        flows: FlowService,
        calls: ProviderCalls,
        matching: Matching,
        admitting: Admitting,
        sessions: SessionService,
        vault: Vault,
        callback_url: str,
    ) -> None:
        self._database = database
        self._store = store
        self._providers = providers
        self._flows = flows
        self._calls = calls
        self._matching = matching
        self._admitting = admitting
        self._sessions = sessions
        self._vault = vault
        self._callback_url = callback_url

    async def take(self, state: str, browser: str | None) -> Awaited:
        """
        Returns the sign-in that has this state, and is used up by it. `browser` is the secret that this browser shows.
        Raises AccountError.
        """
        try:
            id = UUID(state)
        except ValueError:
            raise _bad_state("OAuth state parameter is invalid") from None
        async with self._database.autocommit() as tx:
            flow = await self._store.take(tx, id)
        if flow is None:
            raise _bad_state("OAuth state not found or expired")
        remembered = self._remembered(flow)
        if not remembered.is_of(browser):
            raise _bad_state("OAuth state belongs to another browser")
        return Awaited(flow, remembered)

    async def arrive(self, caller: Caller, awaited: Awaited, returned: Returned) -> Arrived:
        """Signs in who has come back with a code of the provider. Raises AccountError and Unavailable."""
        flow = awaited.flow
        redeemed = await self._redeemed(caller, awaited, returned)
        tokens = ProviderTokens(redeemed.access_token, redeemed.refresh_token)

        async def find(tx: Transaction) -> Found:
            if flow.linking:
                return await self._linked(tx, caller, awaited, redeemed.person)
            return await self._matching.find(tx, caller, flow.provider, redeemed.person)

        async def then(tx: Transaction, user: User) -> Arrived:
            return await self._signed_in(tx, acting(caller, user), flow, user, tokens)

        link = LinkOptions(flow.redirect_to, flow.challenge, returned.languages)
        return await self._admitting.admit(caller, Admittance(flow.provider, find, then, link))

    async def _redeemed(self, caller: Caller, awaited: Awaited, returned: Returned) -> Redeemed:
        name = awaited.flow.provider
        redeeming = self._providers.named(name).redeem(
            returned.code, self._callback_url, awaited.attempt, returned.iss
        )
        try:
            return await self._calls.wait(name, redeeming)
        except ProviderError as error:
            await self._calls.failed(caller, name, str(error))
            raise AccountError(500, "unexpected_failure", "Unable to exchange external code") from error

    async def _linked(self, tx: Transaction, caller: Caller, awaited: Awaited, person: Person) -> Found:
        user_id, session_id = awaited.flow.user_id, awaited.remembered.session_id
        assert user_id is not None
        assert session_id is not None
        # They may have signed out, or been signed out, or added a factor since they left.
        await self._store.check_may_link(tx, user_id, session_id)
        return Found(await self._matching.link(tx, caller, user_id, awaited.flow.provider, person))

    async def _signed_in(
        self, tx: Transaction, caller: Caller, flow: Flow, user: User, tokens: ProviderTokens
    ) -> Arrived:
        if flow.challenge is None:
            return Arrived(tokens, issued=await self._sessions.begin(tx, caller, user, METHOD))
        # The state was used up when the browser came back; the code is of a flow of its own.
        id = await self._flows.begin(
            tx, flow.provider, METHOD, flow.challenge, flow.redirect_to, FLOW_LIFETIME
        )
        return Arrived(tokens, code=await self._flows.give_code(tx, id, user.id, tokens.encoded()))

    def _remembered(self, flow: Flow) -> Remembered:
        try:
            plain = self._vault.open(flow.sealed, flow_purpose(str(flow.id)))
        except Unsealable as error:
            # Sealed before OGEL_SECRET was changed.
            raise _bad_state("OAuth state not found or expired") from error
        return msgspec.json.decode(plain, type=Remembered)


def _bad_state(message: str) -> AccountError:
    return AccountError(400, "bad_oauth_state", message)
