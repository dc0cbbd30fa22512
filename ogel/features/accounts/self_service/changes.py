"""What people change of themselves: their password, their address, what they say of themselves."""

from __future__ import annotations

from typing import Any, get_args
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.codes.code import Guess, Purpose
from ogel.features.accounts.codes.email_change import EmailChanges
from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.evenly import in_even_time
from ogel.features.accounts.factors.store import FactorStore
from ogel.features.accounts.passwords.hasher import Hasher
from ogel.features.accounts.passwords.policy import check_policy
from ogel.features.accounts.self_service.tries import Tries
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Account
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.metadata import merged
from ogel.features.accounts.users.service import UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

# Who has signed in within it need not show again who they are.
RECENT_SECONDS = 86_400


class Changes(Struct, frozen=True, kw_only=True):
    """
    None is left as it is. `data` is merged into the metadata; what is null there is taken out. `nonce` is the code that
    POST /reauthenticate has mailed.
    """

    email: str | None = None
    password: str | None = None
    current_password: str | None = None
    nonce: str | None = None
    data: dict[str, Any] | None = None


class OwnChanges:
    def __init__(
        self,
        database: Database,
        store: UserStore,
        users: UserService,
        sessions: SessionService,
        factors: FactorStore,
        codes: CodeService,
        email_changes: EmailChanges,
        hasher: Hasher,
        tries: Tries,
        settings: AccountsSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._users = users
        self._sessions = sessions
        self._factors = factors
        self._codes = codes
        self._email_changes = email_changes
        self._hasher = hasher
        self._tries = tries
        self._settings = settings

    async def change(self, caller: Caller, wanted: Changes, link: LinkOptions) -> Account:
        """
        Returns the account as it is then. A new password ends all other sessions. Raises AccountError, RateLimited, and
        Unavailable when too many passwords are hashed.
        """
        async with in_even_time():
            before = await self._before(caller, wanted)
            email = None if wanted.email is None else email_of(wanted.email)
            if email == before.email:
                email = None
            guess = await self._nonce(caller, before, wanted)
            changes: dict[str, Any] = {}
            if wanted.password is not None:
                changes |= await self._new_password(before, wanted.password, wanted)
            if email is not None and not self._email_changes.is_at_once(before):
                await self._codes.admit(before.email or str(before.id), "email_change")
            async with self._database.transaction() as tx:
                user = await self._locked(tx, caller)
                if changes and user.encrypted_password != before.encrypted_password:
                    raise AccountError(409, "conflict", "The password was changed at the same time.")
                if guess is not None and await self._codes.use(tx, caller, guess, user) is None:
                    raise _bad_nonce()
                user = await self._written(tx, caller, user, changes, wanted.data)
                if email is not None:
                    user = await self._email_changes.start(tx, caller, user, email, link)
                self._sessions.changed_after(tx, user.id)
                return Account(
                    user,
                    await self._store.identities(tx, user.id),
                    await self._factors.of(tx, user.id),
                    [],
                )

    async def _before(self, caller: Caller, wanted: Changes) -> User:
        async with self._database.autocommit() as tx:
            user = await self._store.get(tx, UUID(caller.principal.id))
            if user is None:
                raise _no_user()
            signs_in_otherwise = wanted.password is not None or wanted.email is not None
            if signs_in_otherwise and not await self._is_strong_enough(tx, caller, user):
                said = "AAL2 session is required to update email or password when MFA is enabled."
                raise AccountError(401, "insufficient_aal", said)
        return user

    async def _is_strong_enough(self, tx: Transaction, caller: Caller, user: User) -> bool:
        """Who has a second factor must have shown it: by the session as it is now, which its token may not say yet."""
        if not await self._factors.has_verified(tx, user.id):
            return True
        session = caller.principal.session
        return session is not None and await self._factors.session_level(tx, UUID(session)) == "aal2"

    async def _locked(self, tx: Transaction, caller: Caller) -> User:
        user = await self._store.lock(tx, UUID(caller.principal.id))
        if user is None:
            raise _no_user()
        return user

    async def _new_password(self, user: User, password: str, wanted: Changes) -> dict[str, Any]:
        """Returns the columns that change. Every code that is on its way belongs to whoever had the password before."""
        if user.is_anonymous and user.email is None and wanted.email is None:
            said = "Updating password of an anonymous user without an email or phone is not allowed"
            raise AccountError(422, "validation_failed", said)
        check_policy(password, self._settings)
        await self._check_current(user, wanted)
        if (await self._hasher.verify(user.encrypted_password, password)).ok:
            said = "New password should be different from the old password."
            raise AccountError(422, "same_password", said)
        return {
            "encrypted_password": await self._hasher.hash(password),
            "confirmation_sent_at": None,
            "recovery_sent_at": None,
            "email_change_sent_at": None,
            "reauthentication_sent_at": None,
        }

    async def _check_current(self, user: User, wanted: Changes) -> None:
        if not self._settings.password_needs_current or user.encrypted_password is None:
            return
        said = "Current password required when setting new password."
        if not wanted.current_password:
            raise AccountError(400, "current_password_required", said)
        whose = user.email or str(user.id)
        await self._tries.as_user(whose)
        if not (await self._hasher.verify(user.encrypted_password, wanted.current_password)).ok:
            raise AccountError(400, "current_password_invalid", said)
        self._tries.did_not_fail(whose)

    async def _nonce(self, caller: Caller, user: User, wanted: Changes) -> Guess | None:
        """Returns a guess that has to be right, where the sign-in was long ago."""
        if wanted.password is None or not self._settings.password_needs_recent_sign_in:
            return None
        if await self._is_recent(caller, user):
            return None
        if not wanted.nonce:
            said = "Password update requires reauthentication"
            raise AccountError(400, "reauthentication_needed", said)
        if user.email is None:
            raise _bad_nonce()
        return await self._codes.guess(user.email, wanted.nonce, "reauthentication")

    async def _is_recent(self, caller: Caller, user: User) -> bool:
        """By the newest of the ways in that the session lists (`amr`)."""
        of_this = [
            each for each in await self._sessions.of_user(user.id) if str(each.id) == caller.principal.session
        ]
        times = [way["timestamp"] for each in of_this for way in each.amr]
        return bool(times) and utc_now().timestamp() - max(times) < RECENT_SECONDS

    async def _written(
        self,
        tx: Transaction,
        caller: Caller,
        before: User,
        changes: dict[str, Any],
        data: dict[str, Any] | None,
    ) -> User:
        columns = dict(changes)
        if data is not None:
            columns["raw_user_meta_data"] = merged(before.user_metadata, data)
        if not columns:
            return before
        after = await self._store.update(tx, before.id, **columns)
        await self._users.changed(tx, caller, before, after)
        if changes:
            await self._codes.drop(tx, after, *get_args(Purpose))
            session = caller.principal.session
            await self._sessions.end(
                tx, caller, after.id, "others", UUID(session) if session else None, "password_changed"
            )
        return after


def _no_user() -> AccountError:
    return AccountError(403, "user_not_found", "User from sub claim in JWT does not exist")


def _bad_nonce() -> AccountError:
    return AccountError(422, "reauthentication_not_valid", "Nonce has expired or is invalid")
