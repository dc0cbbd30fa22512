"""The manifest of accounts, and how its parts fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import structlog

from ogel.features.accounts.codes.flows import flow_purpose
from ogel.features.accounts.codes.purge import purges_of_codes
from ogel.features.accounts.factors.events import EVENTS as OF_FACTORS
from ogel.features.accounts.factors.store import FactorStore, secret_purpose
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
    from ogel.features.accounts.administration.service import AdminService
    from ogel.features.accounts.codes.email_change import EmailChanges
    from ogel.features.accounts.codes.flows import FlowService
    from ogel.features.accounts.codes.operators import OperatorCodes
    from ogel.features.accounts.codes.redirects import Redirects
    from ogel.features.accounts.codes.requests import CodeRequests
    from ogel.features.accounts.codes.service import CodeService
    from ogel.features.accounts.codes.verification import Verification
    from ogel.features.accounts.factors.recovery import RecoveryService
    from ogel.features.accounts.factors.service import FactorService
    from ogel.features.accounts.imports.service import ImportService
    from ogel.features.accounts.oauth.oauth import OAuth
    from ogel.features.accounts.passwords.hasher import Hasher
    from ogel.features.accounts.self_service.captcha import Captcha
    from ogel.features.accounts.self_service.changes import OwnChanges
    from ogel.features.accounts.self_service.sign_in import SignInService
    from ogel.features.accounts.self_service.sign_up import SignUpService
    from ogel.features.accounts.self_service.tries import Tries
    from ogel.features.accounts.sessions.metrics import SessionMetrics
    from ogel.features.accounts.sessions.news import SessionNews
    from ogel.features.accounts.sessions.people import People
    from ogel.features.accounts.sessions.service import SessionService
    from ogel.features.accounts.signing.key import Algorithm
    from ogel.features.accounts.signing.keys import SigningKeys
    from ogel.features.accounts.signing.service import SigningKeyService
    from ogel.features.accounts.signing.tokens import Tokens
    from ogel.features.accounts.users.service import UserService
    from ogel.features.mail.contract import MailQueue
    from ogel.kernel.principal import Caller, Principal
    from ogel.runtime.http.credentials import Credential
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.route import Route

log = structlog.get_logger(__name__)

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
    SealedColumn("mfa_factors", "id", "secret", owner="id", purpose=secret_purpose, id_type="uuid"),
    SealedColumn("sessions", "id", "token_key", owner="id", purpose=token_key_purpose, id_type="uuid"),
    SealedColumn("flow_states", "id", "sealed", owner="id", purpose=flow_purpose, id_type="uuid"),
    SealedColumn("signing_keys", "kid", "private_key", owner="kid", purpose=private_key_purpose),
]
_DAY_SECONDS = 86_400


class AccountsFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: AccountsSettings) -> None:
        self._core = core
        self._settings = settings
        self.user_store = UserStore()
        self._factor_store = FactorStore()
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

    async def say_what_is_believed(self, stop: asyncio.Event) -> None:
        """Tells whoever starts it that nobody has to show that an address is theirs."""
        if not self.confirms:
            why = (
                "OGEL_AUTH_AUTOCONFIRM"
                if self._settings.autoconfirm
                else "there is nothing to send mail with"
            )
            log.warning("accounts.addresses_are_believed", because=why)
        await stop.wait()

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
    def _session_metrics(self) -> SessionMetrics:
        from ogel.features.accounts.sessions.metrics import SessionMetrics

        return SessionMetrics(self._core.registry)

    @cached_property
    def people(self) -> People:
        from ogel.features.accounts.sessions.people import People

        people = People(self._core.database, self._session_store, self.tokens, self._session_metrics)
        self.session_watch.on_news(people.forget_all)
        return people

    @cached_property
    def _news(self) -> SessionNews:
        from ogel.features.accounts.sessions.news import SessionNews

        core = self._core
        return SessionNews(core.broadcast if core.has_redis else None, self.session_watch.look_soon)

    async def told(self) -> None:
        """Before a process that has changed something ends, others hear of it."""
        if "_news" in self.__dict__:
            await self._news.told()

    @cached_property
    def sessions(self) -> SessionService:
        from ogel.features.accounts.sessions.service import Lifetimes, SessionService

        core, settings = self._core, self._settings
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

    @property
    def mail(self) -> MailQueue:
        mail: MailQueue = self._core.features["mail"].offers.messages
        return mail

    @property
    def confirms(self) -> bool:
        """Whether addresses are believed only when a mail to them was answered."""
        chosen = self._settings.autoconfirm
        return self.mail.is_ready if chosen is None else not chosen

    @cached_property
    def app(self) -> str:
        """What mail calls it that people have accounts for."""
        from ogel.features.accounts.codes.links import app_of

        return self._settings.app_name or app_of(self._settings.site_url)

    @cached_property
    def redirects(self) -> Redirects:
        from ogel.features.accounts.codes.redirects import Redirects

        return Redirects(self._settings.site_url, self._settings.redirect_urls)

    @cached_property
    def flows(self) -> FlowService:
        from ogel.features.accounts.codes.flows import FlowService

        return FlowService(self._core.vault)

    @cached_property
    def codes(self) -> CodeService:
        from ogel.features.accounts.codes.code import Mint
        from ogel.features.accounts.codes.limits import MailLimits
        from ogel.features.accounts.codes.service import CodeService, Sender
        from ogel.features.accounts.codes.store import CodeStore

        core, settings = self._core, self._settings
        return CodeService(
            core.database,
            CodeStore(),
            self.user_store,
            self.flows,
            Mint(core.vault),
            self.mail,
            MailLimits(core.limiter, settings.mail_seconds, settings.mails_to_address, settings.mails_in_all),
            core.audit,
            Sender(self.app, settings.site_url, settings.external_url, settings.code_seconds),
            self.sessions.changed_after,
        )

    @cached_property
    def email_changes(self) -> EmailChanges:
        from ogel.features.accounts.codes.email_change import EmailChanges

        return EmailChanges(
            self.codes,
            self.users,
            self.user_store,
            both=self._settings.secure_email_change,
            autoconfirm=not self.confirms,
        )

    @cached_property
    def code_requests(self) -> CodeRequests:
        from ogel.features.accounts.codes.requests import CodeRequests

        return CodeRequests(
            self._core.database,
            self.codes,
            self.email_changes,
            self.users,
            self.user_store,
            signup=self._settings.signup,
            confirms=self.confirms,
        )

    @cached_property
    def operator_codes(self) -> OperatorCodes:
        from ogel.features.accounts.codes.operators import OperatorCodes

        core = self._core
        return OperatorCodes(core.database, self.codes, self.users, self.user_store, core.audit)

    @cached_property
    def verification(self) -> Verification:
        from ogel.features.accounts.codes.verification import Verification

        return Verification(
            self._core.database,
            self.codes,
            self.flows,
            self.users,
            self.user_store,
            self.sessions,
            self.email_changes,
        )

    @cached_property
    def factors(self) -> FactorService:
        from ogel.features.accounts.factors.service import FactorService

        core, settings = self._core, self._settings
        return FactorService(
            core.database,
            self._factor_store,
            self.user_store,
            self.sessions,
            core.vault,
            core.outbox,
            core.audit,
            issuer=urlsplit(settings.site_url).hostname or "ogel",
            totp_enabled=settings.totp,
        )

    @cached_property
    def recovery_codes(self) -> RecoveryService:
        from ogel.features.accounts.factors.recovery import RecoveryService

        core = self._core
        return RecoveryService(
            core.database, self._factor_store, self.factors, self.sessions, core.outbox, core.audit
        )

    @cached_property
    def administration(self) -> AdminService:
        from ogel.features.accounts.administration.service import AdminService
        from ogel.features.accounts.administration.store import SearchStore

        return AdminService(
            self._core.database,
            self.user_store,
            SearchStore(),
            self.users,
            self.factors,
            self.sessions,
            self.codes,
            self.hasher,
            self._settings,
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
    def tries(self) -> Tries:
        from ogel.features.accounts.self_service.tries import Tries

        return Tries(self._core.limiter, self._settings.sign_in_tries)

    @cached_property
    def sign_in(self) -> SignInService:
        from ogel.features.accounts.self_service.metrics import SignInMetrics
        from ogel.features.accounts.self_service.sign_in import SignInService

        core = self._core
        return SignInService(
            core.database,
            self.user_store,
            self.sessions,
            self.hasher,
            self.tries,
            core.audit,
            SignInMetrics(core.registry),
            self._settings,
        )

    @cached_property
    def sign_up(self) -> SignUpService:
        from ogel.features.accounts.self_service.sign_up import SignUpService

        return SignUpService(
            self._core.database,
            self.user_store,
            self.users,
            self.sessions,
            self.codes,
            self.hasher,
            self.tries,
            self._settings,
            self.confirms,
        )

    @cached_property
    def own_changes(self) -> OwnChanges:
        from ogel.features.accounts.self_service.changes import OwnChanges

        return OwnChanges(
            self._core.database,
            self.user_store,
            self.users,
            self.sessions,
            self._factor_store,
            self.codes,
            self.email_changes,
            self.hasher,
            self.tries,
            self._settings,
        )

    @cached_property
    def oauth(self) -> OAuth:
        from ogel.features.accounts.oauth.oauth import OAuth

        return OAuth(self._core, self._settings, self)

    @cached_property
    def hasher(self) -> Hasher:
        from ogel.features.accounts.passwords.hasher import Hasher

        return Hasher()

    def _routes_of_factors(self) -> Sequence[Route]:
        from ogel.features.accounts.gotrue.admin_factors import AdminFactorRoutes
        from ogel.features.accounts.gotrue.factors import FactorRoutes
        from ogel.features.accounts.gotrue.recovery_codes import RecoveryCodeRoutes

        return [
            *FactorRoutes(self.factors).routes(),
            *RecoveryCodeRoutes(self.recovery_codes).routes(),
            *AdminFactorRoutes(self.factors).routes(),
        ]

    def _routes_of_operators(self) -> Sequence[Route]:
        from ogel.features.accounts.administration.history import History
        from ogel.features.accounts.administration.store import SearchStore
        from ogel.features.accounts.gotrue.admin_audit import AdminAuditRoutes
        from ogel.features.accounts.gotrue.admin_users import AdminUserRoutes

        history = History(self._core.database, SearchStore(), self._core.features["audit"].offers)
        return [*AdminUserRoutes(self.administration).routes(), *AdminAuditRoutes(history).routes()]

    def _routes_of_identities(self) -> Sequence[Route]:
        from ogel.features.accounts.gotrue.identities import IdentityRoutes
        from ogel.features.accounts.self_service.unlinking import Unlinking

        core, enabled = self._core, self._settings.manual_linking
        unlinking = Unlinking(
            core.database,
            self.user_store,
            self.users,
            self.sessions,
            self.factors,
            self.codes,
            core.audit,
            enabled=enabled,
        )
        return IdentityRoutes(unlinking).routes()

    @cached_property
    def imports(self) -> ImportService:
        from ogel.features.accounts.imports.service import ImportService

        core = self._core
        return ImportService(core.database, self._factor_store, core.vault, core.audit)

    def routes(self) -> Sequence[Route]:
        from ogel.features.accounts.administration.routes import UsersRoutes
        from ogel.features.accounts.imports.routes import ImportRoutes
        from ogel.features.accounts.sessions.routes import SessionRoutes
        from ogel.features.accounts.signing.routes import SigningKeyRoutes

        return [
            *UsersRoutes(self.administration, self.factors).routes(),
            *ImportRoutes(self.imports).routes(),
            *SessionRoutes(self.sessions).routes(),
            *SigningKeyRoutes(self.key_rotation).routes(),
        ]

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.accounts.gotrue.dialect import gotrue
        from ogel.features.accounts.gotrue.logout import LogoutRoutes
        from ogel.features.accounts.gotrue.password_grant import PasswordGrant
        from ogel.features.accounts.gotrue.token import TokenRoutes
        from ogel.features.accounts.gotrue.token_id_token import IdTokenGrant
        from ogel.features.accounts.gotrue.token_pkce import PkceGrant
        from ogel.features.accounts.gotrue.token_refresh import RefreshGrant
        from ogel.features.accounts.gotrue.user import UserRoutes
        from ogel.features.accounts.gotrue.well_known import WellKnownRoutes

        return [
            gotrue(
                [
                    *TokenRoutes(
                        {
                            "password": PasswordGrant(self.sign_in, self.captcha).answer,
                            "refresh_token": RefreshGrant(self.sessions).answer,
                            "pkce": PkceGrant(self.verification).answer,
                            "id_token": IdTokenGrant(self.oauth.id_tokens, self.captcha).answer,
                        }
                    ).routes(),
                    *self._own_routes(),
                    *self._code_routes(),
                    *self._oauth_routes(),
                    *UserRoutes(self.people).routes(),
                    *LogoutRoutes(self.sessions, self._core.database).routes(),
                    *self._routes_of_identities(),
                    *self._routes_of_factors(),
                    *self._routes_of_operators(),
                    *WellKnownRoutes(self.signing_keys, self._settings.external_url).routes(),
                ]
            )
        ]

    def _own_routes(self) -> list[Route]:
        from ogel.features.accounts.gotrue.links import Links
        from ogel.features.accounts.gotrue.settings import SettingsRoutes
        from ogel.features.accounts.gotrue.signup import SignUpRoutes
        from ogel.features.accounts.gotrue.user_update import UserUpdateRoutes

        links = Links(self.redirects)
        return [
            *SignUpRoutes(self.sign_up, self.captcha, links).routes(),
            *UserUpdateRoutes(self.own_changes, links).routes(),
            *SettingsRoutes(
                self._settings, self.oauth.providers.names, autoconfirms=not self.confirms
            ).routes(),
        ]

    def _code_routes(self) -> list[Route]:
        from ogel.features.accounts.gotrue.generate_link import GenerateLinkRoutes
        from ogel.features.accounts.gotrue.invite import InviteRoutes
        from ogel.features.accounts.gotrue.links import Links
        from ogel.features.accounts.gotrue.otp import OtpRoutes
        from ogel.features.accounts.gotrue.reauthenticate import ReauthenticateRoutes
        from ogel.features.accounts.gotrue.recover import RecoverRoutes
        from ogel.features.accounts.gotrue.resend import ResendRoutes
        from ogel.features.accounts.gotrue.verify import VerifyRoutes

        links, requests, email = Links(self.redirects), self.code_requests, self._settings.email
        return [
            *OtpRoutes(requests, links, self.captcha, email=email).routes(),
            *RecoverRoutes(requests, links, self.captcha, email=email).routes(),
            *ResendRoutes(requests, links, self.captcha, email=email).routes(),
            *ReauthenticateRoutes(requests, links).routes(),
            *VerifyRoutes(self.codes, self.verification, links, by_page=self._settings.link_page).routes(),
            *InviteRoutes(self.operator_codes, links).routes(),
            *GenerateLinkRoutes(self.operator_codes, links, self.hasher, self._settings).routes(),
        ]

    def _oauth_routes(self) -> list[Route]:
        from ogel.features.accounts.gotrue.authorize import AuthorizeRoutes
        from ogel.features.accounts.gotrue.browser import Browsers
        from ogel.features.accounts.gotrue.callback import CallbackRoutes
        from ogel.features.accounts.gotrue.links import Links

        settings, oauth = self._settings, self.oauth
        links, browsers = Links(self.redirects), Browsers(settings.external_url)
        callback = CallbackRoutes(oauth.arrivals, browsers, settings.external_url, settings.site_url)
        return [
            *AuthorizeRoutes(oauth.departures, links, browsers, settings.manual_linking).routes(),
            *callback.routes(),
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
            BackgroundService("session watch", accounts.session_watch.run, at_last=accounts.told),
            BackgroundService("signing keys", accounts.rotate_keys, where="api"),
            BackgroundService("confirmation", accounts.say_what_is_believed, where="api"),
        ],
        events=OF_USERS | OF_FACTORS | OF_SESSIONS,
        purges=[purge_of_sessions(core.retention_days), *purges_of_codes()],
        tables=TABLES,
        sealed=SEALED,
        settings=settings,
        offers=accounts,
    )
