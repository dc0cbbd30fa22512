"""The manifest of accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from ogel.features.accounts.codes.flows import flow_purpose
from ogel.features.accounts.codes.purge import purges_of_codes
from ogel.features.accounts.factors.events import EVENTS as OF_FACTORS
from ogel.features.accounts.factors.store import secret_purpose
from ogel.features.accounts.services import Accounts
from ogel.features.accounts.sessions.events import EVENTS as OF_SESSIONS
from ogel.features.accounts.sessions.session import token_key_purpose
from ogel.features.accounts.sessions.store import purge_of_sessions
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.signing.key import private_key_purpose
from ogel.features.accounts.users.events import EVENTS as OF_USERS
from ogel.runtime.core import Core
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.http.credentials import TOKEN
from ogel.runtime.secrets.sealed import SealedColumn

if TYPE_CHECKING:
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


class AccountsFeature:
    """Asks the services for what the manifest names, when it is needed."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def rotate_keys(self, stop: asyncio.Event) -> None:
        await self._accounts.key_rotation.run(stop)

    async def say_what_is_believed(self, stop: asyncio.Event) -> None:
        """Tells whoever starts it that nobody has to show that an address is theirs."""
        if not self._accounts.confirms:
            chosen = self._accounts.settings.autoconfirm
            why = "OGEL_AUTH_AUTOCONFIRM" if chosen else "there is nothing to send mail with"
            log.warning("accounts.addresses_are_believed", because=why)
        await stop.wait()

    def routes(self) -> Sequence[Route]:
        from ogel.features.accounts.administration.routes import UsersRoutes
        from ogel.features.accounts.imports.routes import ImportRoutes
        from ogel.features.accounts.imports.service import ImportService
        from ogel.features.accounts.sessions.routes import SessionRoutes
        from ogel.features.accounts.signing.routes import SigningKeyRoutes

        accounts, core = self._accounts, self._accounts.core
        imports = ImportService(core.database, accounts.factor_store, core.vault, core.audit)
        return [
            *UsersRoutes(accounts.administration, accounts.factors.service).routes(),
            *ImportRoutes(imports).routes(),
            *SessionRoutes(accounts.sessions).routes(),
            *SigningKeyRoutes(accounts.key_rotation).routes(),
        ]

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.accounts.gotrue.wiring import gotrue_of

        return [gotrue_of(self._accounts)]


def build(core: Core, settings: AccountsSettings) -> Feature:
    accounts = Accounts(core, settings)
    feature = AccountsFeature(accounts)
    return Feature(
        name="accounts",
        routes=feature.routes,
        dialects=feature.dialects,
        scopes={
            "accounts:read": "look at users, sessions and teams",
            "accounts:write": "make, change and delete users, end their sessions, send them links",
        },
        authenticators={TOKEN: accounts.authenticate},
        watches={"user": accounts.session_watch},
        services=[
            BackgroundService("session watch", accounts.session_watch.run, at_last=accounts.told),
            BackgroundService("signing keys", feature.rotate_keys, where="api"),
            BackgroundService("confirmation", feature.say_what_is_believed, where="api"),
        ],
        events=OF_USERS | OF_FACTORS | OF_SESSIONS,
        purges=[purge_of_sessions(core.retention_days), *purges_of_codes()],
        tables=TABLES,
        sealed=SEALED,
        settings=settings,
        offers=accounts,
    )
