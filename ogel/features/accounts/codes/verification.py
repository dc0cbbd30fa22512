"""What follows from a code that was used: an address is proven, and somebody is signed in."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.codes.code import Code, Guess, Purpose
from ogel.features.accounts.codes.email_change import CHANGES, EmailChanges
from ogel.features.accounts.codes.flows import FlowService, no_flow
from ogel.features.accounts.codes.service import CodeService, address_for
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.service import EMAIL, UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import User, acting
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

# What proves an address, and nothing of a password that somebody set before, or of an account of another site.
_PASSWORDLESS: tuple[Purpose, ...] = ("magiclink", "recovery", "invite")


class Verified(Struct, frozen=True):
    """A session; or what a client exchanges for one; neither after the first of two confirmations."""

    issued: Issued | None = None
    auth_code: str | None = None


class Verification:
    def __init__(
        self,
        database: Database,
        codes: CodeService,
        flows: FlowService,
        users: UserService,
        store: UserStore,
        sessions: SessionService,
        changes: EmailChanges,
    ) -> None:
        self._database = database
        self._codes = codes
        self._flows = flows
        self._users = users
        self._store = store
        self._sessions = sessions
        self._changes = changes

    async def verify(self, caller: Caller, guess: Guess, *, follows_link: bool = False) -> Verified | None:
        """
        Uses the code. Who follows the link of a PKCE flow gets a code to exchange; who sends the code gets the session.
        Returns None when there is no such code. Raises AccountError when its user is banned.
        """
        verified = await self._used(caller, guess, follows_link)
        if verified is None:
            await self._codes.refused(caller, guess)
        return verified

    async def _used(self, caller: Caller, guess: Guess, follows_link: bool) -> Verified | None:
        async with self._database.transaction() as tx:
            user = await self._locked(tx, guess)
            if user is None or (code := await self._codes.use(tx, caller, guess, user)) is None:
                return None
            caller = acting(caller, user)
            proven = await self._proven(tx, caller, user, code)
            if proven is None:
                verified = Verified()
            elif follows_link and code.flow_id is not None:
                verified = Verified(auth_code=await self._given(tx, code.flow_id, user))
            else:
                verified = Verified(await self._sessions.begin(tx, caller, proven, "otp"))
        self._sessions.changed(user.id)
        return verified

    async def exchange(self, caller: Caller, code: str, verifier: str) -> tuple[Issued, bytes | None]:
        """Returns the session, and what the flow kept for the client. Raises AccountError."""
        async with self._database.transaction() as tx:
            exchanged = await self._flows.exchange(tx, code, verifier)
            user = await self._store.lock(tx, exchanged.user_id)
            if user is None or user.deleted_at is not None:
                raise AccountError(403, "user_not_found", "User does not exist")
            _check_not_banned(user)
            issued = await self._sessions.begin(tx, acting(caller, user), user, exchanged.method)
        self._sessions.changed(user.id)
        return issued, exchanged.secrets

    async def _given(self, tx: Transaction, flow_id: UUID, user: User) -> str:
        auth_code = await self._flows.give_code(tx, flow_id, user.id)
        if auth_code is None:
            raise no_flow()
        return auth_code

    async def _locked(self, tx: Transaction, guess: Guess) -> User | None:
        """The user first, then their code: whoever sends codes takes both in this order, too."""
        owner = await self._codes.owner(tx, guess)
        user = None if owner is None else await self._store.lock(tx, owner)
        if user is None or user.deleted_at is not None:
            return None
        _check_not_banned(user)
        return user

    async def _proven(self, tx: Transaction, caller: Caller, user: User, code: Code) -> User | None:
        changes = code.purpose in CHANGES
        if code.address != address_for(user, code.purpose) or (changes and user.email_change is None):
            # It was sent to an address that the user does not have, or want, any more.
            raise AccountError(403, "otp_expired", "Token has expired or is invalid")
        if changes:
            return await self._changes.confirm(tx, caller, user)
        return await self._confirmed(tx, caller, user, code.purpose)

    async def _confirmed(self, tx: Transaction, caller: Caller, user: User, purpose: Purpose) -> User:
        if user.email_confirmed_at is not None:
            return user
        columns: dict[str, object] = {
            "email_confirmed_at": utc_now(),
            "raw_user_meta_data": {**user.user_metadata, "email_verified": True},
        }
        if purpose == "invite":
            columns["confirmation_sent_at"] = None
        if purpose in _PASSWORDLESS:
            # Whoever signed up with this address before it was proven chose the password: it was another one perhaps,
            # who waits for the owner to come.
            columns["encrypted_password"] = None
            user = await self._users.known_by_address(tx, caller, user)
        confirmed = await self._store.update(tx, user.id, **columns)
        for identity in await self._store.identities(tx, user.id):
            if identity.provider == EMAIL:
                data = {**identity.identity_data, "email_verified": True}
                await self._store.update_identity(tx, identity.id, identity_data=data)
        await self._users.changed(tx, caller, user, confirmed)
        return confirmed


def _check_not_banned(user: User) -> None:
    if user.banned_until is not None and user.banned_until > utc_now():
        raise AccountError(403, "user_banned", "User is banned")
