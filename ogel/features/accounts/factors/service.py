"""The rules of second factors: added, challenged, verified once per code, removed."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct
from psycopg.errors import UniqueViolation

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors import totp
from ogel.features.accounts.factors.events import ADDED, REMOVED, factor_event
from ogel.features.accounts.factors.store import RECOVERY_CODE, TOTP, FactorStore, Held, secret_purpose
from ogel.features.accounts.factors.tries import Tries
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Factor, User
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox
from ogel.runtime.secrets.vault import Vault

CHALLENGE_SECONDS = 300
# After that a name is free again that somebody has begun to enrol and not completed.
ABANDONED_SECONDS = 300
MOST_FACTORS = 10
_MOST_CHALLENGES = 10
_MOST_NAME_CHARACTERS = 100
_MOST_ISSUER_CHARACTERS = 64


class Enrolled(Struct, frozen=True):
    """`secret` and `uri`, what the QR code says, are shown once."""

    factor: Factor
    secret: str
    uri: str
    qr_code: str


class Challenge(Struct, frozen=True):
    id: UUID
    factor_type: str
    expires_at: datetime


class FactorService:
    def __init__(
        self,
        database: Database,
        store: FactorStore,
        users: UserStore,
        sessions: SessionService,
        vault: Vault,
        outbox: Outbox,
        audit: AuditTrail,
        *,
        issuer: str,
        totp_enabled: bool,
    ) -> None:
        """`issuer` is what authenticator apps call us, unless an enrolment says something else."""
        self._database = database
        self._store = store
        self._users = users
        self._sessions = sessions
        self._vault = vault
        self._outbox = outbox
        self._audit = audit
        self._tries = Tries(store, audit)
        self._issuer = issuer
        self._totp_enabled = totp_enabled

    async def of(self, tx: Transaction, user_id: UUID) -> list[Factor]:
        """The oldest first; also those that were never verified."""
        return await self._store.of(tx, user_id)

    async def needs_aal2(self, tx: Transaction, user_id: UUID) -> bool:
        """Whether the user has a second factor, so that a session without it may not change what they sign in with."""
        return await self._store.has_verified(tx, user_id)

    async def enroll(self, caller: Caller, friendly_name: str, issuer: str | None) -> Enrolled:
        """Makes an authenticator app's secret. The factor counts from its first right code on."""
        if not self._totp_enabled:
            raise AccountError(422, "mfa_totp_enroll_not_enabled", "MFA enroll is disabled for TOTP")
        check_name(friendly_name)
        if issuer is not None and len(issuer) > _MOST_ISSUER_CHARACTERS:
            raise _invalid(f"issuer takes at most {_MOST_ISSUER_CHARACTERS} characters")
        id, secret = uuid4(), totp.new_secret()
        async with self._database.transaction() as tx:
            user = await self.acting_user(tx, caller)
            await self._check_new(tx, caller, user, friendly_name)
            factor = await self._store.insert(
                tx,
                id=id,
                user_id=user.id,
                friendly_name=friendly_name,
                factor_type=TOTP,
                secret=self._vault.seal(secret, secret_purpose(str(id))),
            )
            await self._audit.record(tx, caller, "factor.enroll", "factor", str(id), {"type": TOTP})
            self._sessions.changed_after(tx, user.id)
        account = user.email or user.phone or str(user.id)
        uri = totp.uri(secret, issuer or self._issuer, account)
        return Enrolled(factor, totp.in_base32(secret), uri, await asyncio.to_thread(totp.qr_code, uri))

    async def _check_new(self, tx: Transaction, caller: Caller, user: User, friendly_name: str) -> None:
        await self._store.delete_abandoned(tx, user.id, ABANDONED_SECONDS)
        factors = await self._store.of(tx, user.id)
        if any((each.friendly_name or "") == friendly_name for each in factors):
            raise name_taken(friendly_name)
        if len(factors) >= MOST_FACTORS:
            raise AccountError(
                403,
                "too_many_enrolled_mfa_factors",
                "Maximum number of verified factors reached, unenroll to continue",
            )
        if any(each.is_verified for each in factors) and not await self.is_aal2(tx, caller):
            raise AccountError(403, "insufficient_aal", "AAL2 required to enroll a new factor")

    async def challenge(self, caller: Caller, factor_id: UUID) -> Challenge:
        async with self._database.transaction() as tx:
            user = await self.acting_user(tx, caller)
            held = await self._hold(tx, user.id, factor_id)
            if held.factor_type == RECOVERY_CODE:
                raise _invalid("Recovery codes need no challenge, use POST /factors/recovery-codes/verify")
            id, expires_at = await self._store.challenge(
                tx, held.id, session_of(caller), CHALLENGE_SECONDS, _MOST_CHALLENGES
            )
            self._sessions.changed_after(tx, user.id)
        return Challenge(id, held.factor_type, expires_at)

    async def verify(self, caller: Caller, factor_id: UUID, challenge_id: UUID | None, code: str) -> Issued:
        """
        Raises the session to aal2. Each code is good once, each challenge too (RFC 6238 §5.2). The first right code of
        a user's first factor ends their other sessions: none of those has shown it.
        """
        if not code:
            raise _invalid("Code needs to be non-empty")
        async with self._database.transaction() as tx:
            user = await self.acting_user(tx, caller)
            held = await self._hold(tx, user.id, factor_id)
            await self._check_challenge(tx, held, challenge_id)
            self._tries.check(held)
            step = self._fitting_step(held, code)
            if step is None or not await self._store.take_step(tx, held.id, step):
                await self._tries.was_wrong(tx, caller, held)
                issued = None
            else:
                issued = await self._verified(tx, caller, user, held, challenge_id)
        if issued is None:
            raise AccountError(422, "mfa_verification_failed", "Invalid TOTP code entered")
        return issued

    async def _verified(
        self, tx: Transaction, caller: Caller, user: User, held: Held, challenge_id: UUID | None
    ) -> Issued:
        session_id = session_of(caller)
        await self._tries.was_right(tx, held)
        await self._store.delete_unverified(tx, user.id)
        if held.status == "unverified":
            await self._added(tx, caller, user, held, session_id)
        issued = await self._sessions.verified(tx, caller, session_id, TOTP, held.id)
        # After the session, which whoever ends it locks first.
        if challenge_id is None or not await self._store.use_challenge(tx, challenge_id):
            raise _challenge_over(challenge_id)
        return issued

    async def _added(self, tx: Transaction, caller: Caller, user: User, held: Held, session_id: UUID) -> None:
        factors = await self._store.of(tx, user.id)
        if all(each.id == held.id for each in factors if each.is_verified):
            await self._sessions.end(tx, caller, user.id, "others", session_id, "factor_added")
        [added] = [each for each in factors if each.id == held.id]
        await self._outbox.publish(tx, [factor_event(ADDED, added)])

    async def _check_challenge(self, tx: Transaction, held: Held, id: UUID | None) -> None:
        state = None if id is None else await self._store.challenge_state(tx, held.id, id)
        if state is None:
            raise AccountError(
                422, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found"
            )
        if state.is_used or state.is_over:
            raise _challenge_over(id)

    def _fitting_step(self, held: Held, code: str) -> int | None:
        assert held.secret is not None
        secret = self._vault.unseal(bytes(held.secret), secret_purpose(str(held.id)))
        return totp.fitting_step(secret, code, time.time(), held.last_step)

    async def unenroll(self, caller: Caller, factor_id: UUID) -> UUID:
        async with self._database.transaction() as tx:
            user = await self.acting_user(tx, caller)
            held = await self._hold(tx, user.id, factor_id)
            if held.factor_type == RECOVERY_CODE:
                raise _invalid(
                    "Recovery codes cannot be unenrolled with this endpoint, use DELETE /factors/recovery-codes"
                )
            if held.status == "verified" and not await self.is_aal2(tx, caller):
                raise AccountError(422, "insufficient_aal", "AAL2 required to unenroll verified factor")
            await self.remove(tx, caller, user.id, factor_id)
            self._sessions.changed_after(tx, user.id)
        return factor_id

    async def remove(self, tx: Transaction, caller: Caller, user_id: UUID, id: UUID) -> Factor:
        """
        Sessions that it has raised are as they were before. Recovery codes go with the last factor that they stand in
        for: they would be none by themselves, and come back to life with the next one.
        """
        factor = await self._store.delete(tx, user_id, id)
        if factor is None:
            raise not_found()
        await self._sessions.downgrade(tx, user_id, id)
        await self._audit.record(
            tx, caller, "factor.delete", "factor", str(id), {"type": factor.factor_type}, user_id=str(user_id)
        )
        if factor.is_verified:
            await self._outbox.publish(tx, [factor_event(REMOVED, factor)])
        left = [each for each in await self._store.of(tx, user_id) if each.is_verified]
        if left and all(each.factor_type == RECOVERY_CODE for each in left):
            await self.remove(tx, caller, user_id, left[0].id)
        return factor

    async def forget(self, tx: Transaction, user_id: UUID) -> None:
        """All factors of a user who is deleted; their sessions have ended."""
        await self._store.delete_all(tx, user_id)

    async def list(self, user_id: UUID) -> list[Factor]:
        """For operators. Raises AccountError without such a user."""
        async with self._database.autocommit() as tx:
            await self._existing(tx, user_id)
            return await self._store.of(tx, user_id)

    async def rename(self, caller: Caller, user_id: UUID, id: UUID, friendly_name: str | None) -> Factor:
        """For operators; None leaves the name."""
        if friendly_name is not None:
            check_name(friendly_name)
        async with self._database.transaction() as tx:
            await self._existing(tx, user_id)
            factors = {each.id: each for each in await self._store.of(tx, user_id)}
            if id not in factors:
                raise not_found()
            if friendly_name is None or friendly_name == factors[id].friendly_name:
                return factors[id]
            renamed = await self._renamed(tx, user_id, id, friendly_name)
            await self._audit.record(tx, caller, "factor.update", "factor", str(id), user_id=str(user_id))
            self._sessions.changed_after(tx, user_id)
        return renamed

    async def _renamed(self, tx: Transaction, user_id: UUID, id: UUID, friendly_name: str) -> Factor:
        try:
            renamed = await self._store.rename(tx, user_id, id, friendly_name)
        except UniqueViolation as error:
            raise name_taken(friendly_name) from error
        if renamed is None:
            raise not_found()
        return renamed

    async def delete(self, caller: Caller, user_id: UUID, id: UUID) -> Factor:
        """For operators, whom somebody has told that their phone is gone."""
        async with self._database.transaction() as tx:
            if await self._users.lock(tx, user_id) is None:
                raise _no_user()
            removed = await self.remove(tx, caller, user_id, id)
            self._sessions.changed_after(tx, user_id)
        return removed

    async def acting_user(self, tx: Transaction, caller: Caller) -> User:
        """Locks the user who asks, so that what they do with their factors happens one after another."""
        user = await self._users.lock(tx, UUID(caller.principal.id))
        if user is None:
            raise AccountError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if user.is_anonymous:
            raise AccountError(403, "no_authorization", "Anonymous user not allowed to perform these actions")
        return user

    async def is_aal2(self, tx: Transaction, caller: Caller) -> bool:
        """By the session as it is now; its token may be from before."""
        return await self._store.session_level(tx, session_of(caller)) == "aal2"

    async def _hold(self, tx: Transaction, user_id: UUID, id: UUID) -> Held:
        held = await self._store.hold(tx, user_id, id)
        if held is None:
            raise not_found()
        return held

    async def _existing(self, tx: Transaction, user_id: UUID) -> None:
        if await self._users.get(tx, user_id) is None:
            raise _no_user()


def check_name(friendly_name: str) -> None:
    if len(friendly_name) > _MOST_NAME_CHARACTERS or "\0" in friendly_name:
        raise _invalid(f"friendly_name takes at most {_MOST_NAME_CHARACTERS} characters, and no NUL")


def not_found() -> AccountError:
    return AccountError(404, "mfa_factor_not_found", "Factor not found")


def session_of(caller: Caller) -> UUID:
    assert caller.principal.session is not None
    return UUID(caller.principal.session)


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)


def _no_user() -> AccountError:
    return AccountError(404, "user_not_found", "User not found")


def name_taken(name: str) -> AccountError:
    return AccountError(
        422,
        "mfa_factor_name_conflict",
        f'A factor with the friendly name "{name}" for this user already exists',
    )


def _challenge_over(id: UUID | None) -> AccountError:
    return AccountError(
        422,
        "mfa_challenge_expired",
        f"MFA challenge {id} has expired or was used, verify against another challenge or create a new challenge.",
    )
