"""The services of accounts that more than one subject stands on, and the subjects made of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from ogel.features.accounts.factors.store import FactorStore
from ogel.features.accounts.sessions.store import SessionStore
from ogel.features.accounts.sessions.watch import SessionWatch
from ogel.features.accounts.signing.store import SigningKeyStore
from ogel.features.accounts.users.store import UserStore

if TYPE_CHECKING:
    from ogel.features.accounts.administration.service import AdminService
    from ogel.features.accounts.codes.flows import FlowService
    from ogel.features.accounts.codes.redirects import Redirects
    from ogel.features.accounts.codes.wiring import Codes
    from ogel.features.accounts.factors.wiring import Factors
    from ogel.features.accounts.oauth.wiring import OAuth
    from ogel.features.accounts.passwords.hasher import Hasher
    from ogel.features.accounts.self_service.captcha import Captcha
    from ogel.features.accounts.self_service.wiring import SelfService
    from ogel.features.accounts.sessions.metrics import SessionMetrics
    from ogel.features.accounts.sessions.news import SessionNews
    from ogel.features.accounts.sessions.people import People
    from ogel.features.accounts.sessions.service import SessionService
    from ogel.features.accounts.settings import AccountsSettings
    from ogel.features.accounts.signing.key import Algorithm
    from ogel.features.accounts.signing.keys import SigningKeys
    from ogel.features.accounts.signing.service import SigningKeyService
    from ogel.features.accounts.signing.tokens import Tokens
    from ogel.features.accounts.users.service import UserService
    from ogel.features.mail.contract import MailQueue
    from ogel.kernel.principal import Caller, Principal
    from ogel.runtime.core import Core
    from ogel.runtime.http.credentials import Credential

_DAY_SECONDS = 86_400


class Accounts:
    """
    Each is imported and built when it is first used: a process that recognises people needs no sign-up. `codes`,
    `factors`, `self_service` and `oauth` are subjects with several services, wired in their own folders.
    """

    def __init__(self, core: Core, settings: AccountsSettings) -> None:
        self.core = core
        self.settings = settings
        self.user_store = UserStore()
        self.factor_store = FactorStore()
        self._session_store = SessionStore()
        self.session_watch = SessionWatch(core.database, self._session_store)

    async def authenticate(self, credential: Credential, caller: Caller) -> Principal | None:
        return await self.people.authenticate(credential, caller)

    @property
    def _algorithm(self) -> Algorithm:
        return cast("Algorithm", self.settings.signing)  # which the setting has made sure of

    @cached_property
    def signing_keys(self) -> SigningKeys:
        from ogel.features.accounts.signing.keys import SigningKeys

        core = self.core
        return SigningKeys(core.database, SigningKeyStore(core.vault), self._algorithm)

    @cached_property
    def key_rotation(self) -> SigningKeyService:
        from ogel.features.accounts.signing.service import SigningKeyService

        core, settings = self.core, self.settings
        return SigningKeyService(
            core.database,
            SigningKeyStore(core.vault),
            self.signing_keys,
            core.audit,
            self._algorithm,
            settings.key_days,
        )

    @cached_property
    def tokens(self) -> Tokens:
        from ogel.features.accounts.signing.tokens import Tokens

        settings = self.settings
        return Tokens(
            self.signing_keys, settings.external_url, settings.access_token_seconds, settings.legacy_secret
        )

    @cached_property
    def _session_metrics(self) -> SessionMetrics:
        from ogel.features.accounts.sessions.metrics import SessionMetrics

        return SessionMetrics(self.core.registry)

    @cached_property
    def people(self) -> People:
        from ogel.features.accounts.sessions.people import People

        people = People(self.core.database, self._session_store, self.tokens, self._session_metrics)
        self.session_watch.on_news(people.forget_all)
        return people

    @cached_property
    def _news(self) -> SessionNews:
        from ogel.features.accounts.sessions.news import SessionNews

        core = self.core
        return SessionNews(core.broadcast if core.has_redis else None, self.session_watch.look_soon)

    async def told(self) -> None:
        """Waits until other processes have been told what this one changed; called before it ends."""
        if "_news" in self.__dict__:
            await self._news.told()

    @cached_property
    def sessions(self) -> SessionService:
        from ogel.features.accounts.sessions.service import Lifetimes, SessionService

        core, settings = self.core, self.settings
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
            self._news.changed,
            lifetimes,
            self._session_metrics,
        )

    @cached_property
    def users(self) -> UserService:
        from ogel.features.accounts.users.service import UserService

        return UserService(self.user_store, self.sessions, self.core.outbox, self.core.audit)

    @cached_property
    def hasher(self) -> Hasher:
        from ogel.features.accounts.passwords.hasher import Hasher

        return Hasher()

    @cached_property
    def captcha(self) -> Captcha:
        from ogel.features.accounts.self_service.captcha import URLS, Captcha

        settings = self.settings
        url = settings.captcha_url or URLS[settings.captcha] if settings.captcha else None
        return Captcha(self.core.outgoing, url, settings.captcha_secret or "")

    @property
    def mail(self) -> MailQueue:
        mail: MailQueue = self.core.features["mail"].offers.messages
        return mail

    @property
    def confirms(self) -> bool:
        """Whether addresses are believed only when a mail to them was answered."""
        chosen = self.settings.autoconfirm
        return self.mail.is_ready if chosen is None else not chosen

    @cached_property
    def app(self) -> str:
        """What mail calls it that people have accounts for."""
        from ogel.features.accounts.codes.links import app_of

        return self.settings.app_name or app_of(self.settings.site_url)

    @cached_property
    def redirects(self) -> Redirects:
        from ogel.features.accounts.codes.redirects import Redirects

        return Redirects(self.settings.site_url, self.settings.redirect_urls)

    @cached_property
    def flows(self) -> FlowService:
        from ogel.features.accounts.codes.flows import FlowService

        return FlowService(self.core.vault)

    @cached_property
    def codes(self) -> Codes:
        from ogel.features.accounts.codes.wiring import Codes

        return Codes(self)

    @cached_property
    def factors(self) -> Factors:
        from ogel.features.accounts.factors.wiring import Factors

        return Factors(self)

    @cached_property
    def self_service(self) -> SelfService:
        from ogel.features.accounts.self_service.wiring import SelfService

        return SelfService(self)

    @cached_property
    def oauth(self) -> OAuth:
        from ogel.features.accounts.oauth.wiring import OAuth

        return OAuth(self)

    @cached_property
    def administration(self) -> AdminService:
        from ogel.features.accounts.administration.service import AdminService
        from ogel.features.accounts.administration.store import SearchStore

        return AdminService(
            self.core.database,
            self.user_store,
            SearchStore(),
            self.users,
            self.factors.service,
            self.sessions,
            self.codes.service,
            self.hasher,
            self.settings,
        )
