"""Signs people up: with an address and a password, or without saying who they are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from msgspec import Struct

from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.evenly import in_even_time
from ogel.features.accounts.passwords.hasher import Hasher
from ogel.features.accounts.passwords.policy import check_policy
from ogel.features.accounts.self_service.tries import Tries
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.metadata import merged
from ogel.features.accounts.users.service import UserService, columns_of, identity_of_address
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Identity, NewUser, User, acting
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

Json = dict[str, Any]


class Pending(Struct, frozen=True):
    """Signed up, and asked by mail to confirm the address; or somebody who is there already, told the same."""

    user: User
    identities: list[Identity]


class SignUpService:
    """`confirms`: addresses are believed when a mail to them was answered."""

    def __init__(
        self,
        database: Database,
        store: UserStore,
        users: UserService,
        sessions: SessionService,
        codes: CodeService,
        hasher: Hasher,
        tries: Tries,
        settings: AccountsSettings,
        confirms: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._users = users
        self._sessions = sessions
        self._codes = codes
        self._hasher = hasher
        self._tries = tries
        self._settings = settings
        self._confirms = confirms

    async def with_password(
        self, caller: Caller, address: str, password: str, data: Json, link: LinkOptions
    ) -> Issued | Pending:
        """
        Where addresses are confirmed, the answer for an address that somebody has is the same as for any other. Raises
        AccountError, RateLimited, and Unavailable when too many sign up or in.
        """
        self._check_open()
        await self._tries.from_address(caller)
        if not self._settings.email:
            raise AccountError(400, "email_provider_disabled", "Email signups are disabled")
        if not password:
            raise AccountError(400, "validation_failed", "Signup requires a valid password")
        email = email_of(address)
        check_policy(password, self._settings)
        data = merged({}, data)
        self._hasher.admit()
        if self._confirms:
            await self._codes.admit(email, "signup")
        async with in_even_time():
            kept = await self._kept_hash(email, password) if self._confirms else None
            new = NewUser(
                email=email,
                email_confirmed=not self._confirms,
                password_hash=await self._hasher.hash(password),
                user_metadata=data,
                signs_up=True,
            )
            async with self._database.transaction() as tx:
                if self._confirms:
                    return await self._to_confirm(tx, caller, new, kept, link)
                return await self._at_once(tx, caller, new)

    async def _kept_hash(self, email: str, password: str) -> str | None:
        """Returns the hash that somebody has who signed up with this address and password before."""
        async with self._database.autocommit() as tx:
            known = await self._store.by_email(tx, email)
        stored = None if known is None else known.encrypted_password
        return stored if (await self._hasher.verify(stored, password)).ok else None

    async def anonymously(self, caller: Caller, data: Json) -> Issued:
        """Raises AccountError, or RateLimited."""
        self._check_open()
        await self._tries.from_address(caller)
        if not self._settings.anonymous:
            raise AccountError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        new = NewUser(is_anonymous=True, user_metadata=merged({}, data))
        async with self._database.transaction() as tx:
            user = await self._users.create(tx, caller, new)
            return await self._sessions.begin(tx, acting(caller, user), user, "anonymous")

    def _check_open(self) -> None:
        if not self._settings.signup:
            raise AccountError(422, "signup_disabled", "Signups not allowed for this instance")

    async def _to_confirm(
        self, tx: Transaction, caller: Caller, new: NewUser, kept: str | None, link: LinkOptions
    ) -> Pending:
        user = await self._made(tx, caller, new)
        if user is not None:
            sent = await self._codes.send(tx, caller, user, "signup", link)
            return Pending(sent, await self._store.identities(tx, user.id))
        found = await self._store.by_email(tx, new.email or "")
        known = None if found is None else await self._store.lock(tx, found.id)
        if known is None or known.email_confirmed_at is not None:
            self._codes.nothing_sent()
            return _as_if_made(new)
        if known.encrypted_password != kept:
            # Two people, perhaps, and nobody has shown whose the address is. Whoever answers the mail is signed in and
            # chooses a password; one that a stranger set before them would be a way in for the stranger.
            known = await self._store.update(tx, known.id, encrypted_password=None)
        known = await self._users.known_by_address(tx, caller, known)
        await self._codes.send(tx, caller, known, "signup", link)
        return _as_if_made(new)

    async def _at_once(self, tx: Transaction, caller: Caller, new: NewUser) -> Issued:
        """Also somebody who never confirmed keeps the address: operators may have given them rights."""
        user = await self._made(tx, caller, new)
        if user is None:
            raise AccountError(422, "user_already_exists", "User already registered")
        return await self._sessions.begin(tx, acting(caller, user), user, "password")

    async def _made(self, tx: Transaction, caller: Caller, new: NewUser) -> User | None:
        try:
            return await self._users.create(tx, caller, new)
        except AccountError as error:
            if error.code != "email_exists":
                raise
            return None


def _as_if_made(new: NewUser) -> Pending:
    """A user like one that has just signed up, and there is no such user."""
    id, now = uuid4(), utc_now()
    identity = identity_of_address(id, new)
    assert identity is not None
    columns = columns_of(id, new, identity)
    user = User(
        id=id,
        aud="authenticated",
        role=new.role,
        email=new.email,
        email_confirmed_at=None,
        email_change=None,
        email_change_confirm_status=0,
        phone=None,
        phone_confirmed_at=None,
        confirmed_at=None,
        encrypted_password=None,
        invited_at=None,
        confirmation_sent_at=now,
        recovery_sent_at=None,
        email_change_sent_at=None,
        reauthentication_sent_at=None,
        last_sign_in_at=None,
        app_metadata=columns["raw_app_meta_data"],
        user_metadata=columns["raw_user_meta_data"],
        labels=[],
        banned_until=None,
        is_anonymous=False,
        is_sso_user=False,
        deleted_at=None,
        created_at=now,
        updated_at=now,
    )
    shown = Identity(
        id=uuid4(),
        user_id=id,
        provider=identity.provider,
        provider_id=identity.provider_id,
        identity_data=identity.data,
        email=new.email,
        last_sign_in_at=now,
        created_at=now,
        updated_at=now,
    )
    return Pending(user, [shown])
