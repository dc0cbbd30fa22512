"""The rules of recovery codes: a factor that stands in for the others, and never is the only one."""

from __future__ import annotations

from uuid import UUID, uuid4

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors import recovery_codes
from ogel.features.accounts.factors.events import ADDED, factor_event
from ogel.features.accounts.factors.service import FactorService, check_name, name_taken, session_of
from ogel.features.accounts.factors.store import RECOVERY_CODE, FactorStore
from ogel.features.accounts.factors.tries import Tries
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import Factor
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox

_NAME = "Recovery codes"
# As tokens have it, beside `totp`.
METHOD = "mfa/recovery_code"


class NewCodes(Struct, frozen=True):
    """`codes` are shown once."""

    factor: Factor
    codes: list[str]


class CodesLeft(Struct, frozen=True):
    factor_id: UUID
    total: int
    remaining: int


class RecoveryService:
    def __init__(
        self,
        database: Database,
        store: FactorStore,
        factors: FactorService,
        sessions: SessionService,
        outbox: Outbox,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._store = store
        self._factors = factors
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit
        self._tries = Tries(store, audit)

    async def left(self, user_id: UUID) -> CodesLeft:
        async with self._database.autocommit() as tx:
            factor = await self._of(tx, user_id)
            return CodesLeft(factor.id, *await self._store.count_codes(tx, factor.id))

    async def generate(self, caller: Caller, friendly_name: str | None) -> NewCodes:
        """Raises AccountError when there are some already, or no factor that they could stand in for."""
        name = friendly_name or _NAME
        check_name(name)
        async with self._database.transaction() as tx:
            user = await self._factors.acting_user(tx, caller)
            await self._check_aal2(tx, caller, "generate")
            factors = await self._store.of(tx, user.id)
            _check_new(factors, name)
            factor = await self._store.insert(
                tx,
                id=uuid4(),
                user_id=user.id,
                friendly_name=name,
                factor_type=RECOVERY_CODE,
                status="verified",
            )
            codes = await self._replace(tx, factor)
            about = {"count": len(codes)}
            await self._audit.record(tx, caller, "recovery_codes.generate", "factor", str(factor.id), about)
            await self._outbox.publish(tx, [factor_event(ADDED, factor)])
            self._sessions.changed_after(tx, user.id)
        return NewCodes(factor, codes)

    async def regenerate(self, caller: Caller) -> NewCodes:
        """The codes before are none any more."""
        async with self._database.transaction() as tx:
            user = await self._factors.acting_user(tx, caller)
            await self._check_aal2(tx, caller, "regenerate")
            factor = await self._of(tx, user.id)
            await self._store.was_right(tx, factor.id)
            codes = await self._replace(tx, factor)
            about = {"count": len(codes)}
            await self._audit.record(tx, caller, "recovery_codes.regenerate", "factor", str(factor.id), about)
        return NewCodes(factor, codes)

    async def _replace(self, tx: Transaction, factor: Factor) -> list[str]:
        codes = recovery_codes.new_codes()
        await self._store.replace_codes(tx, factor.id, [recovery_codes.hash_of(code) for code in codes])
        return codes

    async def verify(self, caller: Caller, code: str) -> Issued:
        """Raises the session to aal2; the code is none from then on."""
        given = recovery_codes.normal(code)
        if not given:
            raise AccountError(400, "validation_failed", "Code needs to be non-empty")
        async with self._database.transaction() as tx:
            user = await self._factors.acting_user(tx, caller)
            held = await self._store.hold(tx, user.id, None)
            if held is None:
                raise _wrong()
            self._tries.check(held)
            issued = None
            if await self._store.use_code(tx, held.id, recovery_codes.hash_of(given)):
                await self._tries.was_right(tx, held)
                _, remaining = await self._store.count_codes(tx, held.id)
                metadata = {"remaining": remaining}
                await self._audit.record(tx, caller, "recovery_codes.use", "factor", str(held.id), metadata)
                issued = await self._sessions.verified(tx, caller, session_of(caller), METHOD, held.id)
            else:
                await self._tries.was_wrong(tx, caller, held)
        if issued is None:
            raise _wrong()
        return issued

    async def delete(self, caller: Caller) -> UUID:
        async with self._database.transaction() as tx:
            user = await self._factors.acting_user(tx, caller)
            await self._check_aal2(tx, caller, "delete")
            factor = await self._of(tx, user.id)
            await self._factors.remove(tx, caller, user.id, factor.id)
            self._sessions.changed_after(tx, user.id)
        return factor.id

    async def _of(self, tx: Transaction, user_id: UUID) -> Factor:
        for factor in await self._store.of(tx, user_id):
            if factor.factor_type == RECOVERY_CODE:
                return factor
        raise AccountError(404, "mfa_factor_not_found", "The user has not enrolled recovery codes")

    async def _check_aal2(self, tx: Transaction, caller: Caller, to_do: str) -> None:
        if not await self._factors.is_aal2(tx, caller):
            raise AccountError(403, "insufficient_aal", f"AAL2 required to {to_do} recovery codes")


def _check_new(factors: list[Factor], name: str) -> None:
    if any(each.factor_type == RECOVERY_CODE for each in factors):
        raise AccountError(
            422,
            "mfa_verified_factor_exists",
            "Recovery codes are already enrolled for this user, use regenerate to rotate them",
        )
    if any(each.friendly_name == name for each in factors):
        raise name_taken(name)
    if not any(each.is_verified for each in factors):
        raise AccountError(
            422,
            "mfa_recovery_codes_sole_factor",
            "At least one other verified factor is required to generate recovery codes",
        )


def _wrong() -> AccountError:
    return AccountError(422, "mfa_verification_failed", "Invalid recovery code entered")
