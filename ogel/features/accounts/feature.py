"""The manifest of accounts, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.accounts.factors.events import EVENTS as OF_FACTORS
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.events import EVENTS as OF_USERS
from ogel.features.accounts.users.service import UserService
from ogel.features.accounts.users.store import UserStore
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature

if TYPE_CHECKING:
    from ogel.features.accounts.codes.email_change import EmailChanges
    from ogel.features.accounts.codes.flows import FlowService
    from ogel.features.accounts.codes.operators import OperatorCodes
    from ogel.features.accounts.codes.redirects import Redirects
    from ogel.features.accounts.codes.requests import CodeRequests
    from ogel.features.accounts.codes.service import CodeService
    from ogel.features.accounts.passwords.hasher import Hasher
    from ogel.features.mail.contract import MailQueue
    from ogel.runtime.http.dialect import Dialect

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


class AccountsFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: AccountsSettings) -> None:
        self._core = core
        self._settings = settings
        self.user_store = UserStore()
        self.users = UserService(self.user_store, core.outbox, core.audit)

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
        from ogel.features.accounts.codes.links import app_of
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
            MailLimits(
                core.limiter, settings.mail_seconds, settings.mails_to_address, settings.mails_in_all
            ),
            core.audit,
            Sender(
                settings.app_name or app_of(settings.site_url), settings.external_url, settings.code_seconds
            ),
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
    def hasher(self) -> Hasher:
        from ogel.features.accounts.passwords.hasher import Hasher

        return Hasher()

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.accounts.gotrue.dialect import gotrue

        return [gotrue([])]


def build(core: Core, settings: AccountsSettings) -> Feature:
    accounts = AccountsFeature(core, settings)
    return Feature(
        name="accounts",
        dialects=accounts.dialects,
        events=OF_USERS | OF_FACTORS,
        tables=TABLES,
        settings=settings,
        offers=accounts,
    )
