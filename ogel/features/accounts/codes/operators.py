"""What operators do with codes: inviting people, and making links that they send themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.codes.code import FreshCode, Purpose
from ogel.features.accounts.codes.email_change import CHANGES
from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.users.service import UserService, already_registered
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Identity, NewUser, User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction


class Invited(Struct, frozen=True):
    user: User
    identities: Sequence[Identity]


class MadeLink(Struct, frozen=True):
    """`purpose` is not what was asked for when somebody who was to sign in had to be signed up first."""

    user: User
    identities: Sequence[Identity]
    code: FreshCode
    purpose: Purpose
    url: str


class Wanted(Struct, frozen=True):
    """`new_email` is of changes of address, `password_hash` of sign-ups."""

    purpose: Purpose
    email: str
    data: dict[str, Any]
    new_email: str | None = None
    password_hash: str | None = None


class OperatorCodes:
    def __init__(
        self,
        database: Database,
        codes: CodeService,
        users: UserService,
        store: UserStore,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._codes = codes
        self._users = users
        self._store = store
        self._audit = audit

    async def invite(self, caller: Caller, email: str, data: dict[str, Any], link: LinkOptions) -> Invited:
        """Somebody who has not come yet is invited again. Raises AccountError `email_exists`, or Unavailable."""
        self._codes.check_ready()
        async with self._database.transaction() as tx:
            user = await self._invited(tx, caller, Wanted("invite", email, data))
            user = await self._codes.send(tx, caller, user, "invite", link)
            return Invited(user, await self._store.identities(tx, user.id))

    async def make_link(self, caller: Caller, wanted: Wanted, link: LinkOptions) -> MadeLink:
        """Sends nothing. Raises AccountError."""
        async with self._database.transaction() as tx:
            user, purpose = await self._meant(tx, caller, wanted)
            user, [code] = await self._codes.make(tx, user, [purpose], link)
            await self._audit.record(tx, caller, "auth.link_made", "user", str(user.id), {"purpose": purpose})
            url = self._codes.link(code, purpose, link.redirect_to)
            return MadeLink(user, await self._store.identities(tx, user.id), code, purpose, url)

    async def _meant(self, tx: Transaction, caller: Caller, wanted: Wanted) -> tuple[User, Purpose]:
        if wanted.purpose == "invite":
            return await self._invited(tx, caller, wanted), "invite"
        if wanted.purpose == "signup":
            return await self._signed_up(tx, caller, wanted), "signup"
        user = await self._store.by_email(tx, wanted.email)
        if user is None and wanted.purpose == "magiclink":
            return await self._signed_up(tx, caller, wanted), "signup"
        if user is None:
            raise AccountError(404, "user_not_found", "User with this email not found")
        if wanted.purpose in CHANGES:
            user = await self._to_change(tx, user, wanted.new_email)
        return user, wanted.purpose

    async def _invited(self, tx: Transaction, caller: Caller, wanted: Wanted) -> User:
        user = await self._store.by_email(tx, wanted.email)
        if user is None:
            new = NewUser(email=wanted.email, user_metadata=wanted.data, invited=True)
            return await self._users.create(tx, caller, new)
        if user.email_confirmed_at is not None:
            raise already_registered()
        return await self._store.update(tx, user.id, invited_at=utc_now())

    async def _signed_up(self, tx: Transaction, caller: Caller, wanted: Wanted) -> User:
        user = await self._store.by_email(tx, wanted.email)
        if user is None:
            new = NewUser(email=wanted.email, password_hash=wanted.password_hash, user_metadata=wanted.data)
            return await self._users.create(tx, caller, new)
        if user.email_confirmed_at is not None:
            raise already_registered()
        user = await self._users.known_by_address(tx, caller, user)
        changed = await self._store.update(tx, user.id, encrypted_password=wanted.password_hash)
        await self._users.changed(tx, caller, user, changed)
        return changed

    async def _to_change(self, tx: Transaction, user: User, new_email: str | None) -> User:
        if new_email is None:
            raise AccountError(400, "validation_failed", "An email address is required")
        if await self._store.by_email(tx, new_email) is not None:
            raise already_registered()
        if user.email_change == new_email:
            return user
        await self._codes.drop(tx, user, *CHANGES)
        return await self._store.update(tx, user.id, email_change=new_email, email_change_confirm_status=0)
