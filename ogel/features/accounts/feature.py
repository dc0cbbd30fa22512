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
    from ogel.features.accounts.passwords.hasher import Hasher
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
