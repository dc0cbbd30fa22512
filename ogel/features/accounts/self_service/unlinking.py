"""Taking one of several identities off a user, who signs in with the others from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID

from psycopg.errors import UniqueViolation

from ogel.features.accounts.codes.code import Purpose
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors.service import FactorService
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.users.service import EMAIL, UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Identity, User
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction

PHONE = "phone"


class Unlinking:
    def __init__(
        self,
        database: Database,
        store: UserStore,
        users: UserService,
        sessions: SessionService,
        factors: FactorService,
        codes: CodeService,
        audit: AuditTrail,
        *,
        enabled: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._users = users
        self._sessions = sessions
        self._factors = factors
        self._codes = codes
        self._audit = audit
        self._enabled = enabled

    async def unlink(self, caller: Caller, identity_id: UUID) -> None:
        """Of the user who asks. Raises AccountError with GoTrue's codes."""
        if not self._enabled:
            raise AccountError(404, "manual_linking_disabled", "Manual linking is disabled")
        async with self._database.transaction() as tx:
            user = await self._store.lock(tx, UUID(caller.principal.id))
            if user is None:
                raise AccountError(403, "user_not_found", "User from sub claim in JWT does not exist")
            identities = await self._store.identities(tx, user.id)
            if len(identities) < 2:
                message = "User must have at least 1 identity after unlinking"
                raise AccountError(422, "single_identity_not_deletable", message)
            gone = next((each for each in identities if each.id == identity_id), None)
            if gone is None:
                raise AccountError(422, "identity_not_found", "Identity doesn't exist")
            await self._check_factor(tx, caller, user)
            await self._store.delete_identity(tx, gone.id)
            left = [each for each in identities if each.id != identity_id]
            await self._change_user(tx, caller, user, gone, left)
            metadata = {"provider": gone.provider}
            await self._audit.record(tx, caller, "identity.delete", "identity", str(gone.id), metadata)
            self._sessions.changed_after(tx, user.id)

    async def _check_factor(self, tx: Transaction, caller: Caller, user: User) -> None:
        """An address may go with it, and a password: they need the second factor of who has one, as in PUT /user."""
        if await self._factors.needs_aal2(tx, user.id) and not await self._factors.is_aal2(tx, caller):
            raise AccountError(403, "insufficient_aal", "AAL2 required to unlink an identity")

    async def _change_user(
        self, tx: Transaction, caller: Caller, user: User, gone: Identity, left: Sequence[Identity]
    ) -> None:
        try:
            async with tx.as_one():
                changed = await self._store.update(tx, user.id, **_changes(user, gone, left))
        except UniqueViolation as error:
            message = "Unable to unlink identity due to email conflict"
            raise AccountError(422, "email_conflict_identity_not_deletable", message) from error
        await self._users.changed(tx, caller, user, changed)
        if changed.email != user.email:
            # What is on its way to the address before would let in whoever reads its mail.
            await self._codes.drop(tx, changed, *get_args(Purpose))


def _changes(user: User, gone: Identity, left: Sequence[Identity]) -> dict[str, Any]:
    """A password is that of the address: it goes with it, and another site's address takes its place."""
    providers = list(dict.fromkeys(each.provider for each in left))
    first = user.app_metadata.get("provider")
    changes: dict[str, Any] = {
        "raw_app_meta_data": {
            **user.app_metadata,
            "provider": first if first in providers else providers[0],
            "providers": providers,
        }
    }
    if gone.provider == PHONE:
        changes |= {"phone": None, "phone_confirmed_at": None}
    if gone.provider == EMAIL:
        proven = [each.email for each in left if each.identity_data.get("email_verified") is True]
        address = next((each for each in proven if each), None)
        changes |= {"email": address, "encrypted_password": None}
        if address is None:
            changes["email_confirmed_at"] = None
    return changes
