"""Signs people in by address and password, and tells nobody who has an account."""

from __future__ import annotations

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.evenly import in_even_time
from ogel.features.accounts.passwords.hasher import Hasher
from ogel.features.accounts.passwords.policy import MOST_CHARACTERS, WeakPassword, weakness_of
from ogel.features.accounts.self_service.metrics import SignInMetrics
from ogel.features.accounts.self_service.tries import Tries
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.accounts.users.address import email_of
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import User, acting
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import OgelError, RateLimited, Unavailable
from ogel.kernel.principal import Caller
from ogel.kernel.text import pseudonym
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database

# How often a sign-in begins anew because the password was changed while it was verified.
_TRIES = 3


class SignedIn(Struct, frozen=True):
    """`weakness`: their password is right, and would not be taken today."""

    issued: Issued
    weakness: WeakPassword | None


class SignInService:
    def __init__(
        self,
        database: Database,
        store: UserStore,
        sessions: SessionService,
        hasher: Hasher,
        tries: Tries,
        audit: AuditTrail,
        metrics: SignInMetrics,
        settings: AccountsSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._sessions = sessions
        self._hasher = hasher
        self._tries = tries
        self._audit = audit
        self._metrics = metrics
        self._settings = settings

    async def by_password(self, caller: Caller, address: str, password: str) -> SignedIn:
        """
        Raises AccountError `invalid_credentials` in the same words, and after the same time, whether there is such a
        user or not. What else may be wrong is said only to who knows the password. Raises RateLimited, and Unavailable
        when too many sign in.
        """
        if not self._settings.email:
            raise AccountError(422, "email_provider_disabled", "Email logins are disabled")
        try:
            issued = await self._tried(caller, address, password)
        except OgelError as error:
            self._metrics.sign_ins.labels(_outcome(error)).inc()
            raise
        self._metrics.sign_ins.labels("signed_in").inc()
        return SignedIn(issued, weakness_of(password, self._settings))

    async def _tried(self, caller: Caller, address: str, password: str) -> Issued:
        # Nobody has a longer one, and what is longer is hashed no longer.
        password = password[: MOST_CHARACTERS + 1]
        self._hasher.admit()
        await self._tries.from_address(caller)
        email = _email(address)
        await self._tries.as_user(email)
        try:
            async with in_even_time():
                issued = await self._verified(caller, email, password)
        except Unavailable:
            self._tries.did_not_fail(email)
            raise
        self._tries.did_not_fail(email)
        return issued

    async def _verified(self, caller: Caller, email: str, password: str) -> Issued:
        for _ in range(_TRIES):
            async with self._database.autocommit() as tx:
                user = await self._store.by_email(tx, email)
            stored = None if user is None else user.encrypted_password
            verified = await self._hasher.verify(stored, password)
            if user is None or not verified.ok:
                break
            rehashed = await self._hasher.hash(password) if verified.needs_rehash else None
            issued = await self._begun(caller, user, rehashed)
            if issued is not None:
                return issued
        await self._failed(caller, user, email)
        raise AccountError(400, "invalid_credentials", "Invalid login credentials")

    async def _begun(self, caller: Caller, known: User, rehashed: str | None) -> Issued | None:
        """Returns None when the password is another one by now."""
        async with self._database.transaction() as tx:
            user = await self._store.lock(tx, known.id)
            if user is None or user.encrypted_password != known.encrypted_password:
                return None
            check_may_sign_in(user)
            if rehashed is not None:
                user = await self._store.update(tx, user.id, encrypted_password=rehashed)
            return await self._sessions.begin(tx, acting(caller, user), user, "password")

    async def _failed(self, caller: Caller, user: User | None, email: str) -> None:
        """Recorded for who is not there, too: it takes time, and shows who tries addresses."""
        what, id = ("address", pseudonym(email)) if user is None else ("user", str(user.id))
        async with self._database.transaction() as tx:
            await self._audit.record(tx, caller, "auth.sign_in_failed", what, id, {"method": "password"})


def check_may_sign_in(user: User) -> None:
    """Of somebody who has shown who they are. Raises AccountError."""
    if user.banned_until is not None and user.banned_until > utc_now():
        raise AccountError(400, "user_banned", "User is banned")
    if user.email is not None and user.email_confirmed_at is None:
        raise AccountError(400, "email_not_confirmed", "Email not confirmed")


def _outcome(error: OgelError) -> str:
    match error:
        case RateLimited():
            return "limited"
        case Unavailable():
            return "crowded"
        case AccountError(code="invalid_credentials"):
            return "wrong"
    return "held_up"


def _email(address: str) -> str:
    """What is no address is nobody's, and costs as much as one that might be."""
    try:
        return email_of(address)
    except AccountError:
        return ""
