"""How the services of second factors are wired."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ogel.features.accounts.factors.recovery import RecoveryService
from ogel.features.accounts.factors.service import FactorService

if TYPE_CHECKING:
    from ogel.features.accounts.services import Accounts


class Factors:
    def __init__(self, accounts: Accounts) -> None:
        core, settings, sessions = accounts.core, accounts.settings, accounts.sessions
        self.service = FactorService(
            core.database,
            accounts.factor_store,
            accounts.user_store,
            sessions,
            core.vault,
            core.outbox,
            core.audit,
            issuer=urlsplit(settings.site_url).hostname or "ogel",
            totp_enabled=settings.totp,
        )
        self.recovery_codes = RecoveryService(
            core.database, accounts.factor_store, self.service, sessions, core.outbox, core.audit
        )
