"""How the services of links and digits in mail are wired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.features.accounts.codes.code import Mint
from ogel.features.accounts.codes.email_change import EmailChanges
from ogel.features.accounts.codes.limits import MailLimits
from ogel.features.accounts.codes.operators import OperatorCodes
from ogel.features.accounts.codes.requests import CodeRequests
from ogel.features.accounts.codes.service import CodeService, Sender
from ogel.features.accounts.codes.store import CodeStore
from ogel.features.accounts.codes.verification import Verification

if TYPE_CHECKING:
    from ogel.features.accounts.services import Accounts


class Codes:
    def __init__(self, accounts: Accounts) -> None:
        core, settings = accounts.core, accounts.settings
        database, users, user_store = core.database, accounts.users, accounts.user_store
        self.service = CodeService(
            database,
            CodeStore(),
            user_store,
            accounts.flows,
            Mint(core.vault),
            accounts.mail,
            MailLimits(core.limiter, settings.mail_seconds, settings.mails_to_address, settings.mails_in_all),
            core.audit,
            Sender(accounts.app, settings.site_url, settings.external_url, settings.code_seconds),
            accounts.sessions.changed_after,
        )
        self.email_changes = EmailChanges(
            self.service,
            users,
            user_store,
            both=settings.secure_email_change,
            autoconfirm=not accounts.confirms,
        )
        self.requests = CodeRequests(
            database,
            self.service,
            self.email_changes,
            users,
            user_store,
            signup=settings.signup,
            confirms=accounts.confirms,
        )
        self.operators = OperatorCodes(database, self.service, users, user_store, core.audit)
        self.verification = Verification(
            database,
            self.service,
            accounts.flows,
            users,
            user_store,
            accounts.sessions,
            self.email_changes,
        )
