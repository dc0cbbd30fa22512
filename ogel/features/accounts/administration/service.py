"""The rules of what operators do with users. Each change is one transaction, with event and audit record."""

from __future__ import annotations

from typing import Any, get_args
from uuid import UUID, uuid4

from msgspec import UNSET, Struct
from psycopg.errors import UniqueViolation

from ogel.features.accounts.administration.store import Search, SearchStore
from ogel.features.accounts.administration.wanted import (
    Wanted,
    WantedNew,
    checked_email,
    checked_phone,
    checked_role,
)
from ogel.features.accounts.codes.code import Purpose
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors.service import FactorService
from ogel.features.accounts.passwords.formats import UnknownHash, check_hash
from ogel.features.accounts.passwords.hasher import Hasher
from ogel.features.accounts.passwords.policy import MOST_CHARACTERS, check_policy
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.metadata import merged
from ogel.features.accounts.users.service import EMAIL, UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Factor, Identity, NewIdentity, NewUser, User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

PHONE = "phone"


class Whole(Struct, frozen=True):
    """A user with all that is shown of them."""

    user: User
    identities: list[Identity]
    factors: list[Factor]


class AdminService:
    def __init__(
        self,
        database: Database,
        store: UserStore,
        search: SearchStore,
        users: UserService,
        factors: FactorService,
        sessions: SessionService,
        codes: CodeService,
        hasher: Hasher,
        settings: AccountsSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._search = search
        self._users = users
        self._factors = factors
        self._sessions = sessions
        self._codes = codes
        self._hasher = hasher
        self._settings = settings

    async def create(self, caller: Caller, wanted: WantedNew) -> Whole:
        """
        Sends no mail. A weak password is taken: whoever moves users from elsewhere must be able to bring them all.
        Raises AccountError with GoTrue's codes.
        """
        email, phone = checked_email(wanted.email), checked_phone(wanted.phone)
        if email is None and phone is None:
            raise _invalid("Cannot create a user without either an email or phone")
        id = wanted.id or uuid4()
        by_phone = None if phone is None else _phone_identity(id, phone, verified=False)
        new = NewUser(
            id=id,
            email=email,
            email_confirmed=wanted.email_confirm,
            phone=phone,
            phone_confirmed=wanted.phone_confirm,
            password_hash=await self._hash_of(wanted, new=True),
            user_metadata=merged({}, wanted.user_metadata),
            app_metadata=merged({}, wanted.app_metadata),
            role=checked_role(wanted.role, caller.principal) or "authenticated",
            labels=list(wanted.labels or ()),
            banned_until=None if wanted.banned_until is UNSET else wanted.banned_until,
            identity=by_phone if email is None else None,
        )
        async with self._database.transaction() as tx:
            user = await self._made(tx, caller, new)
            if email is not None and by_phone is not None:
                user = await self._add_phone(tx, user, by_phone)
            return Whole(user, await self._store.identities(tx, id), [])

    async def _made(self, tx: Transaction, caller: Caller, new: NewUser) -> User:
        if new.email is not None and await self._store.by_email(tx, new.email) is not None:
            raise _email_exists()
        try:
            return await self._users.create(tx, caller, new)
        except AccountError as error:
            # The address is free: what is taken is the number, unless somebody took the address just now.
            if error.code == "email_exists" and new.phone is not None:
                raise _phone_exists() from error
            raise

    async def _add_phone(self, tx: Transaction, user: User, identity: NewIdentity) -> User:
        found = await self._store.insert_identity(tx, user.id, PHONE, identity.provider_id, identity.data)
        if found is None:
            raise _phone_exists()
        providers = [*user.app_metadata.get("providers", []), PHONE]
        return await self._store.update(
            tx, user.id, raw_app_meta_data={**user.app_metadata, "providers": providers}
        )

    async def get(self, id: UUID) -> Whole:
        """Raises AccountError without such a user."""
        async with self._database.autocommit() as tx:
            user = await self._store.get(tx, id)
            if user is None:
                raise no_user()
            return await self._whole(tx, user)

    async def by_email(self, email: str) -> User | None:
        """In whatever spelling. Raises AccountError for what is no address."""
        async with self._database.autocommit() as tx:
            return await self._store.by_email(tx, email_of(email))

    async def page(self, search: Search) -> list[User]:
        async with self._database.autocommit() as tx:
            return await self._search.page(tx, search)

    async def count(self, filter: str | None) -> int:
        async with self._database.autocommit() as tx:
            return await self._search.count(tx, filter)

    async def update(self, caller: Caller, id: UUID, wanted: Wanted) -> Whole:
        """
        A new password ends all sessions of the user; a ban is known everywhere within a second. Raises AccountError.
        """
        changes = await self._columns(caller, wanted)
        async with self._database.transaction() as tx:
            before = await self._store.lock(tx, id)
            if before is None:
                raise no_user()
            changes |= _metadata_and_confirmations(before, wanted, changes)
            after = await self._changed(tx, caller, before, changes)
            await self._set_identities(tx, before, after, wanted)
            await self._shut_out(tx, caller, before, after)
            self._sessions.changed_after(tx, id)
            return await self._whole(tx, after)

    async def _columns(self, caller: Caller, wanted: Wanted) -> dict[str, Any]:
        """Those that do not depend on what was before."""
        changes: dict[str, Any] = {}
        if (email := checked_email(wanted.email)) is not None:
            changes |= {"email": email, "email_change": None, "email_change_confirm_status": 0}
        if (phone := checked_phone(wanted.phone)) is not None:
            changes["phone"] = phone
        if (role := checked_role(wanted.role, caller.principal)) is not None:
            changes["role"] = role
        if wanted.labels is not None:
            changes["labels"] = list(wanted.labels)
        if wanted.banned_until is not UNSET:
            changes["banned_until"] = wanted.banned_until
        if (password_hash := await self._hash_of(wanted, new=False)) is not None:
            changes["encrypted_password"] = password_hash
        return changes

    async def _set_identities(self, tx: Transaction, before: User, after: User, wanted: Wanted) -> None:
        if after.email and after.email != before.email:
            data = {"email": after.email, "email_verified": wanted.email_confirm, "phone_verified": False}
            await self._set_identity(tx, after.id, EMAIL, data)
        if after.phone and after.phone != before.phone:
            identity = _phone_identity(after.id, after.phone, verified=wanted.phone_confirm)
            await self._set_identity(tx, after.id, PHONE, identity.data)

    async def _shut_out(self, tx: Transaction, caller: Caller, before: User, after: User) -> None:
        """
        An operator changes address and password where somebody else had got hold of them: whose codes are on their way
        to the old address, and whose sessions go on, is shut out.
        """
        has_new_password = after.encrypted_password != before.encrypted_password
        if has_new_password:
            await self._sessions.end(tx, caller, after.id, "global", None, "password_changed")
        if has_new_password or (after.email, after.phone) != (before.email, before.phone):
            await self._codes.drop(tx, after, *get_args(Purpose))

    async def _changed(self, tx: Transaction, caller: Caller, before: User, changes: dict[str, Any]) -> User:
        if not changes:
            return before
        try:
            async with tx.as_one():
                after = await self._store.update(tx, before.id, **changes)
        except UniqueViolation as error:
            taken = _phone_exists() if "phone" in (error.diag.constraint_name or "") else _email_exists()
            raise taken from error
        await self._users.changed(tx, caller, before, after)
        return after

    async def _set_identity(self, tx: Transaction, id: UUID, provider: str, data: dict[str, Any]) -> None:
        """The one of the provider, which is made if there is none."""
        found = await self._store.identity(tx, provider, str(id))
        if found is None:
            await self._store.insert_identity(tx, id, provider, str(id), {"sub": str(id), **data})
        else:
            await self._store.update_identity(tx, found.id, identity_data={**found.identity_data, **data})

    async def delete(self, caller: Caller, id: UUID, soft: bool) -> None:
        """Raises AccountError without such a user."""
        async with self._database.transaction() as tx:
            user = await self._store.lock(tx, id)
            if user is None or not await self._users.delete(tx, caller, id, soft):
                raise no_user()
            # Of a row that is kept nothing else would remove what somebody could still come in with.
            await self._factors.forget(tx, id)
            await self._codes.drop(tx, user, *get_args(Purpose))

    async def _whole(self, tx: Transaction, user: User) -> Whole:
        identities = await self._store.identities(tx, user.id)
        return Whole(user, identities, await self._factors.of(tx, user.id))

    async def _hash_of(self, wanted: Wanted, *, new: bool) -> str | None:
        if wanted.password and wanted.password_hash:
            raise _invalid("Only a password or a password hash should be provided")
        if wanted.password_hash:
            try:
                check_hash(wanted.password_hash)
            except UnknownHash as error:
                raise _invalid("password_hash is of no kind that is known here") from error
            return wanted.password_hash
        if not wanted.password:
            return None
        if not new:
            check_policy(wanted.password, self._settings)
        elif len(wanted.password) > MOST_CHARACTERS:
            raise _invalid(f"Password cannot be longer than {MOST_CHARACTERS} characters")
        return await self._hasher.hash(wanted.password)


def _metadata_and_confirmations(before: User, wanted: Wanted, changes: dict[str, Any]) -> dict[str, Any]:
    now = utc_now()
    more: dict[str, Any] = {}
    if wanted.email_confirm and before.email_confirmed_at is None and (before.email or "email" in changes):
        more["email_confirmed_at"] = now
    if wanted.phone_confirm and before.phone_confirmed_at is None and (before.phone or "phone" in changes):
        more["phone_confirmed_at"] = now
    if wanted.user_metadata is not None:
        more["raw_user_meta_data"] = merged(before.user_metadata, wanted.user_metadata)
    if wanted.app_metadata is not None:
        more["raw_app_meta_data"] = merged(before.app_metadata, wanted.app_metadata)
    if before.is_anonymous and not {"email", "phone"}.isdisjoint(changes):
        more["is_anonymous"] = False
    return more


def _phone_identity(id: UUID, phone: str, *, verified: bool) -> NewIdentity:
    data = {"sub": str(id), "phone": phone, "phone_verified": verified, "email_verified": False}
    return NewIdentity(PHONE, str(id), data)


def no_user() -> AccountError:
    return AccountError(404, "user_not_found", "User not found")


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)


def _email_exists() -> AccountError:
    return AccountError(422, "email_exists", "A user with this email address has already been registered")


def _phone_exists() -> AccountError:
    return AccountError(422, "phone_exists", "A user with this phone number has already been registered")
