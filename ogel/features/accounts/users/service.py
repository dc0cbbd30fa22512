"""The rules of making, changing and deleting users: each change is one transaction with event and audit record."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.users.events import CREATED, DELETED, UPDATED, changes, user_event
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import NewIdentity, NewUser, User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Transaction
from ogel.runtime.outbox import Outbox

if TYPE_CHECKING:
    from ogel.features.accounts.sessions.service import SessionService

EMAIL = "email"


class UserService:
    def __init__(self, store: UserStore, sessions: SessionService, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit

    async def create(self, tx: Transaction, caller: Caller, new: NewUser) -> User:
        """Raises AccountError `email_exists` when somebody has the address, number, id or identity already."""
        id = new.id or uuid4()
        identity = new.identity or identity_of_address(id, new)
        user = await self._store.insert(tx, id=id, **columns_of(id, new, identity))
        if user is None:
            raise already_registered()
        if identity is not None:
            found = await self._store.insert_identity(
                tx, id, identity.provider, identity.provider_id, identity.data
            )
            if found is None:
                raise already_registered()
        await self._outbox.publish(tx, [user_event(CREATED, user)])
        metadata = {"provider": identity.provider} if identity else {}
        await self._audit.record(tx, caller, "user.create", "user", str(id), metadata)
        return user

    async def changed(self, tx: Transaction, caller: Caller, before: User, after: User) -> None:
        """To be called in the transaction of a change, by whoever made it. It is known everywhere within a second."""
        self._sessions.changed_after(tx, after.id)
        names = changes(before, after)
        if not names:
            return
        await self._outbox.publish(tx, [user_event(UPDATED, after, changed=names)])
        await self._audit.record(tx, caller, "user.update", "user", str(after.id), {"changed": names})

    async def known_by_address(self, tx: Transaction, caller: Caller, user: User) -> User:
        """
        Takes the accounts of other sites off somebody whose address nobody has shown to be theirs: they may be of
        another one, who claimed the address there and waits for its owner to come.
        """
        identities = await self._store.identities(tx, user.id)
        others = [each for each in identities if each.provider != EMAIL]
        if not others:
            return user
        for each in others:
            await self._store.delete_identity(tx, each.id)
            said = {"provider": each.provider}
            await self._audit.record(
                tx, caller, "identity.delete", "identity", str(each.id), said, user_id=str(user.id)
            )
        if len(others) == len(identities):
            id = str(user.id)
            data = {"sub": id, "email": user.email, "email_verified": False, "phone_verified": False}
            await self._store.insert_identity(tx, user.id, EMAIL, id, data)
        metadata = {**user.app_metadata, "provider": EMAIL, "providers": [EMAIL]}
        changed = await self._store.update(tx, user.id, raw_app_meta_data=metadata)
        await self.changed(tx, caller, user, changed)
        return changed

    async def delete(self, tx: Transaction, caller: Caller, id: UUID, soft: bool = False) -> bool:
        """
        Ends all sessions. A soft deletion keeps the row, so that foreign keys keep pointing somewhere, and nothing in
        it that says who it was. Returns False without such a user.
        """
        user = await self._store.lock(tx, id)
        if user is None:
            return False
        if soft and user.deleted_at is not None:
            return True
        await self._sessions.end(tx, caller, id, "global", None, "user_deleted")
        self._sessions.changed_after(tx, id)
        if soft:
            await self._forget(tx, user)
        else:
            await self._store.delete(tx, id)
        await self._outbox.publish(tx, [user_event(DELETED, user)])
        await self._audit.record(tx, caller, "user.delete", "user", str(id), {"soft": soft})
        return True

    async def _forget(self, tx: Transaction, user: User) -> None:
        await self._store.update(
            tx,
            user.id,
            email=_unreadable(user, user.email),
            phone=_unreadable(user, user.phone),
            email_change=_unreadable(user, user.email_change),
            encrypted_password=None,
            raw_user_meta_data={},
            raw_app_meta_data={},
            labels=[],
            deleted_at=utc_now(),
        )
        for identity in await self._store.identities(tx, user.id):
            hidden = _unreadable(user, f"{identity.provider}:{identity.provider_id}")
            await self._store.update_identity(tx, identity.id, provider_id=hidden, identity_data={})


def already_registered() -> AccountError:
    return AccountError(422, "email_exists", "A user with this email address has already been registered")


def columns_of(id: UUID, new: NewUser, identity: NewIdentity | None) -> dict[str, Any]:
    now = utc_now()
    providers = {} if identity is None else {"provider": identity.provider, "providers": [identity.provider]}
    said = identity.data if new.signs_up and identity is not None else {}
    if new.email is not None and new.email_confirmed and not said:
        said = {"email_verified": True}
    return {
        "role": new.role,
        "email": new.email,
        "email_confirmed_at": now if new.email is not None and new.email_confirmed else None,
        "phone": new.phone,
        "phone_confirmed_at": now if new.phone is not None and new.phone_confirmed else None,
        "encrypted_password": new.password_hash,
        "invited_at": now if new.invited else None,
        "raw_app_meta_data": {**new.app_metadata, **providers},
        "raw_user_meta_data": {**new.user_metadata, **said},
        "labels": new.labels,
        "banned_until": new.banned_until,
        "is_anonymous": new.is_anonymous,
    }


def identity_of_address(id: UUID, new: NewUser) -> NewIdentity | None:
    """`email_verified` says that mail to it was answered: what an operator believes of an address is no proof."""
    if new.email is None:
        return None
    said = new.user_metadata if new.signs_up else {}
    verified = new.signs_up and new.email_confirmed
    data = {"sub": str(id), "email": new.email, "email_verified": verified, "phone_verified": False}
    return NewIdentity(EMAIL, str(id), {**said, **data})


def _unreadable(user: User, text: str | None) -> str | None:
    if not text:
        return None
    return hashlib.sha224(f"{user.id}:{text}".encode()).hexdigest()
