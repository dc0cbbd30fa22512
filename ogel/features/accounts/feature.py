"""The manifest of accounts, and how its parts fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

from ogel.features.accounts.factors.events import EVENTS as OF_FACTORS
from ogel.features.accounts.sessions.events import EVENTS as OF_SESSIONS
from ogel.features.accounts.sessions.session import token_key_purpose
from ogel.features.accounts.sessions.store import SessionStore, purge_of_sessions
from ogel.features.accounts.sessions.watch import SessionWatch
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.signing.key import private_key_purpose
from ogel.features.accounts.signing.store import SigningKeyStore
from ogel.features.accounts.users.events import EVENTS as OF_USERS
from ogel.features.accounts.users.store import UserStore
from ogel.runtime.core import Core
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.http.credentials import TOKEN
from ogel.runtime.secrets.sealed import SealedColumn

if TYPE_CHECKING:
    from ogel.features.accounts.passwords.hasher import Hasher
    from ogel.features.accounts.self_service.captcha import Captcha
    from ogel.features.accounts.sessions.people import People
    from ogel.features.accounts.sessions.service import SessionService
    from ogel.features.accounts.signing.key import Algorithm
    from ogel.features.accounts.signing.keys import SigningKeys
    from ogel.features.accounts.signing.service import SigningKeyService
    from ogel.features.accounts.signing.tokens import Tokens
    from ogel.features.accounts.users.service import UserService
    from ogel.kernel.principal import Caller, Principal
    from ogel.runtime.http.credentials import Credential
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.route import Route

TABLES = [
    "flow_states",
    "identities",
    "mfa_challenges",
    "mfa_factors",
    "mfa_recovery_codes",
    "one_time_codes",
    "sessions",
    "signing_keys",
    "users",
]


SEALED = [
    SealedColumn("sessions", "id", "token_key", owner="id", purpose=token_key_purpose, id_type="uuid"),
    SealedColumn("signing_keys", "kid", "private_key", owner="kid", purpose=private_key_purpose),
]
_DAY_SECONDS = 86_400


class AccountsFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: AccountsSettings) -> None:
        self._core = core
        self._settings = settings
        self.user_store = UserStore()
        self._session_store = SessionStore()
        self.session_watch = SessionWatch(core.database, self._session_store)

    async def authenticate(self, credential: Credential, caller: Caller) -> Principal | None:
        return await self.people.authenticate(credential, caller)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        from ogel.features.accounts.signing.keys import SigningKeys

        return SigningKeys(self._core.database, SigningKeyStore(self._core.vault), self._algorithm)

    @property
    def _algorithm(self) -> Algorithm:
        return cast("Algorithm", self._settings.signing)

    @cached_property
    def key_rotation(self) -> SigningKeyService:
        from ogel.features.accounts.signing.service import SigningKeyService

        core, store = self._core, SigningKeyStore(self._core.vault)
        return SigningKeyService(
            core.database, store, self.signing_keys, core.audit, self._algorithm, self._settings.key_days
        )

    async def rotate_keys(self, stop: asyncio.Event) -> None:
        await self.key_rotation.run(stop)

    @cached_property
    def tokens(self) -> Tokens:
        from ogel.features.accounts.signing.tokens import Tokens

        settings = self._settings
        return Tokens(
            self.signing_keys, settings.external_url, settings.access_token_seconds, settings.legacy_secret
        )

    @cached_property
    def people(self) -> People:
        from ogel.features.accounts.sessions.people import People

        people = People(self._core.database, self._session_store, self.tokens)
        self.session_watch.on_news(people.forget_all)
        return people

    @cached_property
    def sessions(self) -> SessionService:
        from ogel.features.accounts.sessions.news import SessionNews
        from ogel.features.accounts.sessions.service import Lifetimes, SessionService

        core, settings = self._core, self._settings
        news = SessionNews(core.broadcast if core.has_redis else None, self.session_watch.look_soon)
        lifetimes = Lifetimes(
            idle=settings.session_idle_days * _DAY_SECONDS,
            absolute=settings.session_days * _DAY_SECONDS,
            reuse=settings.refresh_reuse_seconds,
            per_user=settings.sessions_per_user,
        )
        return SessionService(
            core.database,
            self._session_store,
            self.tokens,
            core.vault,
            core.outbox,
            core.audit,
            news.changed,
            lifetimes,
        )

    @cached_property
    def users(self) -> UserService:
        from ogel.features.accounts.users.service import UserService

        return UserService(self.user_store, self.sessions, self._core.outbox, self._core.audit)

    @cached_property
    def captcha(self) -> Captcha:
        from ogel.features.accounts.self_service.captcha import URLS, Captcha

        settings = self._settings
        url = settings.captcha_url or URLS[settings.captcha] if settings.captcha else None
        return Captcha(self._core.outgoing, url, settings.captcha_secret or "")

    @cached_property
    def hasher(self) -> Hasher:
        from ogel.features.accounts.passwords.hasher import Hasher

        return Hasher()

    def routes(self) -> Sequence[Route]:
        from ogel.features.accounts.sessions.routes import SessionRoutes
        from ogel.features.accounts.signing.routes import SigningKeyRoutes

        return [*SessionRoutes(self.sessions).routes(), *SigningKeyRoutes(self.key_rotation).routes()]

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.accounts.gotrue.dialect import gotrue
        from ogel.features.accounts.gotrue.logout import LogoutRoutes
        from ogel.features.accounts.gotrue.token import TokenRoutes
        from ogel.features.accounts.gotrue.token_refresh import RefreshGrant
        from ogel.features.accounts.gotrue.user import UserRoutes
        from ogel.features.accounts.gotrue.well_known import WellKnownRoutes

        return [
            gotrue(
                [
                    *TokenRoutes({"refresh_token": RefreshGrant(self.sessions).answer}).routes(),
                    *UserRoutes(self.people).routes(),
                    *LogoutRoutes(self.sessions, self._core.database).routes(),
                    *WellKnownRoutes(self.signing_keys, self._settings.external_url).routes(),
                ]
            )
        ]


def build(core: Core, settings: AccountsSettings) -> Feature:
    accounts = AccountsFeature(core, settings)
    return Feature(
        name="accounts",
        routes=accounts.routes,
        dialects=accounts.dialects,
        scopes={
            "accounts:read": "look at users, sessions and teams",
            "accounts:write": "make, change and delete users, end their sessions, send them links",
        },
        authenticators={TOKEN: accounts.authenticate},
        watches={"user": accounts.session_watch},
        services=[
            BackgroundService("session watch", accounts.session_watch.run),
            BackgroundService("signing keys", accounts.rotate_keys, where="api"),
        ],
        events=OF_USERS | OF_FACTORS | OF_SESSIONS,
        purges=[purge_of_sessions(core.retention_days)],
        tables=TABLES,
        sealed=SEALED,
        settings=settings,
        offers=accounts,
    )
