"""How the services are wired by which people sign up and in, and change what is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.features.accounts.self_service.changes import OwnChanges
from ogel.features.accounts.self_service.metrics import SignInMetrics
from ogel.features.accounts.self_service.sign_in import SignInService
from ogel.features.accounts.self_service.sign_up import SignUpService
from ogel.features.accounts.self_service.tries import Tries
from ogel.features.accounts.self_service.unlinking import Unlinking

if TYPE_CHECKING:
    from ogel.features.accounts.services import Accounts


class SelfService:
    def __init__(self, accounts: Accounts) -> None:
        core, settings, codes = accounts.core, accounts.settings, accounts.codes
        database, users, user_store = core.database, accounts.users, accounts.user_store
        sessions, hasher = accounts.sessions, accounts.hasher
        tries = Tries(core.limiter, settings.sign_in_tries)
        self.sign_in = SignInService(
            database, user_store, sessions, hasher, tries, core.audit, SignInMetrics(core.registry), settings
        )
        self.sign_up = SignUpService(
            database,
            user_store,
            users,
            sessions,
            codes.service,
            hasher,
            tries,
            settings,
            accounts.confirms,
        )
        self.changes = OwnChanges(
            database,
            user_store,
            users,
            sessions,
            accounts.factor_store,
            codes.service,
            codes.email_changes,
            hasher,
            tries,
            settings,
        )
        self.unlinking = Unlinking(
            database,
            user_store,
            users,
            sessions,
            accounts.factors.service,
            codes.service,
            core.audit,
            enabled=settings.manual_linking,
        )
