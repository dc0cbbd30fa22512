"""A change of address: asked for, confirmed from the address before and the new one, done."""

from __future__ import annotations

from psycopg.errors import UniqueViolation

from ogel.features.accounts.codes.code import Purpose
from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.users.service import EMAIL, UserService, already_registered
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Transaction

CHANGES: tuple[Purpose, Purpose] = ("email_change_new", "email_change_current")


class EmailChanges:
    """
    both         the address before has to confirm, too.
    autoconfirm  people who have no address yet are believed.
    """

    def __init__(
        self, codes: CodeService, users: UserService, store: UserStore, *, both: bool, autoconfirm: bool
    ) -> None:
        self._codes = codes
        self._users = users
        self._store = store
        self._both = both
        self._autoconfirm = autoconfirm

    def is_at_once(self, user: User) -> bool:
        """Whether nobody is asked to confirm, so that nothing has to be sent."""
        return self._autoconfirm and (user.is_anonymous or not self._codes.can_send)

    async def start(
        self, tx: Transaction, caller: Caller, user: User, new_email: str, link: LinkOptions
    ) -> User:
        """
        Returns the user with the change pending, or done. After `CodeService.admit`, save where it is at once. Whoever
        asks for somebody else's address learns nothing of that: nothing is sent there, and the change stays pending.
        Raises AccountError `email_exists` where the change would be done at once.
        """
        is_taken = await self._store.by_email(tx, new_email) is not None
        pending = await self._store.update(
            tx,
            user.id,
            email_change=new_email,
            email_change_confirm_status=0,
            email_change_sent_at=utc_now(),
        )
        await self._codes.drop(tx, user, *CHANGES)
        if self.is_at_once(user):
            return await self._done(tx, caller, pending)
        asked = self.asked(user)
        if is_taken:
            asked = [purpose for purpose in asked if purpose != "email_change_new"]
        return await self._codes.send_all(tx, caller, pending, asked, link) if asked else pending

    def asked(self, user: User) -> list[Purpose]:
        """Who has to confirm."""
        return list(CHANGES) if self._both and user.email is not None else ["email_change_new"]

    async def confirm(self, tx: Transaction, caller: Caller, user: User) -> User | None:
        """
        After one of the codes was used. Returns None when the other one is still to come. Raises AccountError
        `email_exists` when somebody took the address meanwhile.
        """
        if user.email_change_confirm_status == 0 and len(self.asked(user)) > 1:
            await self._store.update(tx, user.id, email_change_confirm_status=1)
            return None
        return await self._done(tx, caller, user)

    async def _done(self, tx: Transaction, caller: Caller, before: User) -> User:
        email = before.email_change
        assert email is not None
        try:
            after = await self._store.update(
                tx,
                before.id,
                email=email,
                email_change=None,
                email_change_confirm_status=0,
                **_proven(before),
            )
        except UniqueViolation as error:
            raise already_registered() from error
        await self._name_identity(tx, after, email)
        await self._codes.drop(tx, after, *CHANGES)
        await self._users.changed(tx, caller, before, after)
        return after

    async def _name_identity(self, tx: Transaction, user: User, email: str) -> None:
        for identity in await self._store.identities(tx, user.id):
            if identity.provider == EMAIL:
                data = {**identity.identity_data, "email": email, "email_verified": True}
                await self._store.update_identity(tx, identity.id, identity_data=data)
                return
        id = str(user.id)
        data = {"sub": id, "email": email, "email_verified": True, "phone_verified": False}
        await self._store.insert_identity(tx, user.id, EMAIL, id, data)


def _proven(user: User) -> dict[str, object]:
    """What else changes of somebody whose first address this is."""
    proven: dict[str, object] = {"email_confirmed_at": user.email_confirmed_at or utc_now()}
    if user.is_anonymous or user.email is None:
        providers = list(dict.fromkeys([*user.app_metadata.get("providers", []), EMAIL]))
        first = user.app_metadata.get("provider", EMAIL)
        proven |= {
            "is_anonymous": False,
            "raw_app_meta_data": {**user.app_metadata, "provider": first, "providers": providers},
            "raw_user_meta_data": {**user.user_metadata, "email_verified": True},
        }
    return proven
