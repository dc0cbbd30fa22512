"""What people ask to be mailed: a link to sign in, to choose a new password, to confirm an address; and a code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from uuid import UUID

from ogel.features.accounts.codes.code import Purpose
from ogel.features.accounts.codes.email_change import EmailChanges
from ogel.features.accounts.codes.limits import Kind
from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.evenly import in_even_time
from ogel.features.accounts.users.service import EMAIL, UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import NewUser, User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

Resent = Literal["signup", "email_change"]
# A mail is more work than a password, and nobody waits for the answer but for the mail.
STEP_SECONDS = 0.2


class CodeRequests:
    """
    What is answered, and when, does not depend on who has an account. `signup`: people may sign themselves up.
    `confirms`: new addresses are believed when a mail to them was answered.
    """

    def __init__(
        self,
        database: Database,
        codes: CodeService,
        changes: EmailChanges,
        users: UserService,
        store: UserStore,
        *,
        signup: bool,
        confirms: bool,
    ) -> None:
        self._database = database
        self._codes = codes
        self._changes = changes
        self._users = users
        self._store = store
        self._signup = signup
        self._confirms = confirms

    async def sign_in(
        self, caller: Caller, email: str, *, create: bool, data: dict[str, Any], link: LinkOptions
    ) -> None:
        """`create`: whoever is not there yet is signed up, with `data` as what they say of themselves."""

        async def send(tx: Transaction) -> bool:
            user = await self._there(tx, email)
            if user is None:
                user = await self._signed_up(tx, caller, email, data) if create and self._signup else None
            if user is None or _is_out(user):
                return False
            await self._codes.send(tx, caller, user, await self._way_in(tx, user), link)
            return True

        await self._send(email, "signup", send)

    async def recover(self, caller: Caller, email: str, link: LinkOptions) -> None:
        async def send(tx: Transaction) -> bool:
            user = await self._there(tx, email)
            if user is None or _is_out(user):
                return False
            await self._codes.send(tx, caller, user, "recovery", link)
            return True

        await self._send(email, "recovery", send)

    async def resend(self, caller: Caller, email: str, type: Resent, link: LinkOptions) -> None:
        """Sends what waits for an answer once more; what was sent before is worth nothing then."""

        async def send(tx: Transaction) -> bool:
            user = await self._there(tx, email)
            if user is None or _is_out(user):
                return False
            if type == "email_change" and user.email_change is not None:
                await self._changes.start(tx, caller, user, user.email_change, link)
                return True
            if type == "signup" and user.email_confirmed_at is None:
                await self._codes.send(tx, caller, user, "signup", link)
                return True
            return False

        await self._send(email, type, send)

    async def reauthenticate(self, caller: Caller, user_id: UUID, link: LinkOptions) -> None:
        """Mails a code to somebody who has signed in. Raises AccountError where there is no address of theirs."""
        async with self._database.autocommit() as tx:
            user = await self._store.get(tx, user_id)
        if user is None:
            raise AccountError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if user.email is None:
            message = "Reauthentication requires the user to have an email or a phone number"
            raise AccountError(400, "validation_failed", message)
        if user.email_confirmed_at is None:
            raise AccountError(422, "email_not_confirmed", "Please verify your email first.")
        await self._codes.admit(user.email, "reauthentication")
        async with self._database.transaction() as tx:
            if await self._there(tx, user.email) is not None:
                await self._codes.send(tx, caller, user, "reauthentication", link)

    async def _send(self, email: str, kind: Kind, send: Callable[[Transaction], Awaitable[bool]]) -> None:
        await self._codes.admit(email, kind)
        async with in_even_time(STEP_SECONDS), self._database.transaction() as tx:
            is_sent = await send(tx)
        if not is_sent:
            self._codes.nothing_sent()

    async def _signed_up(
        self, tx: Transaction, caller: Caller, email: str, data: dict[str, Any]
    ) -> User | None:
        new = NewUser(email=email, email_confirmed=not self._confirms, user_metadata=data, signs_up=True)
        try:
            return await self._users.create(tx, caller, new)
        except AccountError:
            # Somebody else was faster.
            return await self._there(tx, email)

    async def _there(self, tx: Transaction, email: str) -> User | None:
        """Locked, so that nobody deletes them or gives them another address before their code is there."""
        found = await self._store.by_email(tx, email)
        user = None if found is None else await self._store.lock(tx, found.id)
        return None if user is None or user.email != email else user

    async def _way_in(self, tx: Transaction, user: User) -> Purpose:
        """
        Who has a password, or an account of another site, and no proven address gets the link that drops these: they
        may be of somebody who signed up with the address of another.
        """
        if user.email_confirmed_at is not None or user.encrypted_password is not None:
            return "magiclink"
        identities = await self._store.identities(tx, user.id)
        return "signup" if all(each.provider == EMAIL for each in identities) else "magiclink"


def _is_out(user: User) -> bool:
    is_banned = user.banned_until is not None and user.banned_until > utc_now()
    return is_banned or user.deleted_at is not None or user.email is None
