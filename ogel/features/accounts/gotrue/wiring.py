"""Which services answer the routes of /auth/v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.features.accounts.administration.history import History
from ogel.features.accounts.administration.store import SearchStore
from ogel.features.accounts.gotrue.admin_audit import AdminAuditRoutes
from ogel.features.accounts.gotrue.admin_factors import AdminFactorRoutes
from ogel.features.accounts.gotrue.admin_users import AdminUserRoutes
from ogel.features.accounts.gotrue.authorize import AuthorizeRoutes
from ogel.features.accounts.gotrue.browser import Browsers
from ogel.features.accounts.gotrue.callback import CallbackRoutes
from ogel.features.accounts.gotrue.dialect import gotrue
from ogel.features.accounts.gotrue.factors import FactorRoutes
from ogel.features.accounts.gotrue.generate_link import GenerateLinkRoutes
from ogel.features.accounts.gotrue.identities import IdentityRoutes
from ogel.features.accounts.gotrue.invite import InviteRoutes
from ogel.features.accounts.gotrue.links import Links
from ogel.features.accounts.gotrue.logout import LogoutRoutes
from ogel.features.accounts.gotrue.mailed import Mailed
from ogel.features.accounts.gotrue.otp import OtpRoutes
from ogel.features.accounts.gotrue.password_grant import PasswordGrant
from ogel.features.accounts.gotrue.reauthenticate import ReauthenticateRoutes
from ogel.features.accounts.gotrue.recover import RecoverRoutes
from ogel.features.accounts.gotrue.recovery_codes import RecoveryCodeRoutes
from ogel.features.accounts.gotrue.resend import ResendRoutes
from ogel.features.accounts.gotrue.settings import SettingsRoutes
from ogel.features.accounts.gotrue.signup import SignUpRoutes
from ogel.features.accounts.gotrue.token import TokenRoutes
from ogel.features.accounts.gotrue.token_id_token import IdTokenGrant
from ogel.features.accounts.gotrue.token_pkce import PkceGrant
from ogel.features.accounts.gotrue.token_refresh import RefreshGrant
from ogel.features.accounts.gotrue.user import UserRoutes
from ogel.features.accounts.gotrue.user_update import UserUpdateRoutes
from ogel.features.accounts.gotrue.verify import VerifyRoutes
from ogel.features.accounts.gotrue.well_known import WellKnownRoutes

if TYPE_CHECKING:
    from ogel.features.accounts.services import Accounts
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.route import Route


def gotrue_of(accounts: Accounts) -> Dialect:
    links = Links(accounts.redirects)
    return gotrue(
        [
            *_tokens(accounts),
            *_self_service(accounts, links),
            *_codes(accounts, links),
            *_oauth(accounts, links),
            *_factors(accounts),
            *_operators(accounts, links),
            *WellKnownRoutes(accounts.signing_keys, accounts.settings.external_url).routes(),
        ]
    )


def _tokens(accounts: Accounts) -> Sequence[Route]:
    captcha = accounts.captcha
    grants = {
        "password": PasswordGrant(accounts.self_service.sign_in, captcha).answer,
        "refresh_token": RefreshGrant(accounts.sessions).answer,
        "pkce": PkceGrant(accounts.codes.verification).answer,
        "id_token": IdTokenGrant(accounts.oauth.id_tokens, captcha).answer,
    }
    return [
        *TokenRoutes(grants).routes(),
        *UserRoutes(accounts.people).routes(),
        *LogoutRoutes(accounts.sessions, accounts.core.database).routes(),
    ]


def _self_service(accounts: Accounts, links: Links) -> Sequence[Route]:
    settings, own = accounts.settings, accounts.self_service
    providers, autoconfirms = accounts.oauth.providers.names, not accounts.confirms
    return [
        *SignUpRoutes(own.sign_up, accounts.captcha, links).routes(),
        *UserUpdateRoutes(own.changes, links).routes(),
        *IdentityRoutes(own.unlinking).routes(),
        *SettingsRoutes(settings, providers, autoconfirms=autoconfirms).routes(),
    ]


def _codes(accounts: Accounts, links: Links) -> Sequence[Route]:
    settings, codes, captcha = accounts.settings, accounts.codes, accounts.captcha
    requests, mailed = codes.requests, Mailed(links, captcha, enabled=settings.email)
    return [
        *OtpRoutes(requests, mailed).routes(),
        *RecoverRoutes(requests, mailed).routes(),
        *ResendRoutes(requests, mailed).routes(),
        *ReauthenticateRoutes(requests, links).routes(),
        *VerifyRoutes(codes.service, codes.verification, links, by_page=settings.link_page).routes(),
    ]


def _oauth(accounts: Accounts, links: Links) -> Sequence[Route]:
    settings, oauth = accounts.settings, accounts.oauth
    browsers = Browsers(settings.external_url)
    return [
        *AuthorizeRoutes(oauth.departures, links, browsers, settings.manual_linking).routes(),
        *CallbackRoutes(oauth.arrivals, browsers, settings.external_url, settings.site_url).routes(),
    ]


def _factors(accounts: Accounts) -> Sequence[Route]:
    factors = accounts.factors
    return [
        *FactorRoutes(factors.service).routes(),
        *RecoveryCodeRoutes(factors.recovery_codes).routes(),
        *AdminFactorRoutes(factors.service).routes(),
    ]


def _operators(accounts: Accounts, links: Links) -> Sequence[Route]:
    core, codes = accounts.core, accounts.codes.operators
    history = History(core.database, SearchStore(), core.features["audit"].offers)
    return [
        *AdminUserRoutes(accounts.administration).routes(),
        *AdminAuditRoutes(history).routes(),
        *InviteRoutes(codes, links).routes(),
        *GenerateLinkRoutes(codes, links, accounts.hasher, accounts.settings).routes(),
    ]
