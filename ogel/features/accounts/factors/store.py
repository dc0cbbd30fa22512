"""The tables mfa_factors, mfa_challenges and mfa_recovery_codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ogel.features.accounts.users.user import Factor
from ogel.runtime.database.database import Queries, Transaction

# Columns as `Factor` names them.
_FACTOR = b"id, user_id, friendly_name, factor_type, status, last_challenged_at, created_at, updated_at"
_SQL = Queries.beside(__name__, factor=_FACTOR)

TOTP, RECOVERY_CODE = "totp", "recovery_code"


def secret_purpose(factor_id: str) -> str:
    """What the vault seals the secret of an authenticator app for."""
    return f"totp:{factor_id}"


class Held(NamedTuple):
    """
    A factor that is locked until the transaction ends. `wrong_tries` are those since the last right one; `secret` is
    sealed.
    """

    id: UUID
    user_id: UUID
    factor_type: str
    status: str
    secret: bytes | None
    last_step: int | None
    wrong_tries: int
    locked_seconds: float


class ChallengeState(NamedTuple):
    is_used: bool
    is_over: bool


class FactorStore:
    async def of(self, tx: Transaction, user_id: UUID) -> list[Factor]:
        """The oldest first."""
        return await tx.all(_SQL.factors, {"user_id": user_id}, Factor)

    async def of_all(self, tx: Transaction, user_ids: Sequence[UUID]) -> list[Factor]:
        return await tx.all(_SQL.factors_of_all, {"user_ids": list(user_ids)}, Factor)

    async def has_verified(self, tx: Transaction, user_id: UUID) -> bool:
        found: bool = await tx.value(_SQL.has_verified, {"user_id": user_id})
        return found

    async def session_level(self, tx: Transaction, session_id: UUID) -> str | None:
        """Returns `aal1` or `aal2`; None when the session is gone."""
        level: str | None = await tx.value(_SQL.session_level, {"session_id": session_id})
        return level

    async def insert(
        self,
        tx: Transaction,
        *,
        id: UUID,
        user_id: UUID,
        friendly_name: str,
        factor_type: str,
        status: str = "unverified",
        secret: bytes | None = None,
    ) -> Factor:
        row = {
            "id": id,
            "user_id": user_id,
            "friendly_name": friendly_name,
            "factor_type": factor_type,
            "status": status,
            "secret": secret,
        }
        factor = await tx.one(_SQL.insert_factor, row, Factor)
        assert factor is not None
        return factor

    async def rename(self, tx: Transaction, user_id: UUID, id: UUID, friendly_name: str) -> Factor | None:
        """Raises psycopg's UniqueViolation for the name of another factor."""
        parameters = {"user_id": user_id, "id": id, "friendly_name": friendly_name}
        return await tx.one(_SQL.rename, parameters, Factor)

    async def delete(self, tx: Transaction, user_id: UUID, id: UUID) -> Factor | None:
        """Its challenges and codes go with it."""
        return await tx.one(_SQL.delete_factor, {"user_id": user_id, "id": id}, Factor)

    async def delete_all(self, tx: Transaction, user_id: UUID) -> None:
        await tx.execute(_SQL.delete_all, {"user_id": user_id})

    async def delete_abandoned(self, tx: Transaction, user_id: UUID, seconds: int) -> None:
        await tx.execute(_SQL.delete_abandoned, {"user_id": user_id, "seconds": seconds})

    async def delete_unverified(self, tx: Transaction, user_id: UUID) -> None:
        await tx.execute(_SQL.delete_unverified, {"user_id": user_id})

    async def hold(self, tx: Transaction, user_id: UUID, id: UUID | None) -> Held | None:
        """Without an id that of the recovery codes."""
        rows = await tx.tuples(_SQL.hold, {"user_id": user_id, "id": id})
        return Held(*rows[0]) if rows else None

    async def take_step(self, tx: Transaction, id: UUID, step: int) -> bool:
        """Takes a code, once; the factor is verified from then on."""
        return await tx.execute(_SQL.take_step, {"id": id, "step": step}) == 1

    async def was_right(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.was_right, {"id": id})

    async def was_wrong(self, tx: Transaction, id: UUID, wrong_tries: int, lock_seconds: int) -> None:
        parameters = {"id": id, "wrong_tries": wrong_tries, "seconds": lock_seconds}
        await tx.execute(_SQL.was_wrong, parameters)

    async def challenge(
        self, tx: Transaction, factor_id: UUID, session_id: UUID | None, seconds: int, most: int
    ) -> tuple[UUID, datetime]:
        """Makes a challenge, of which a factor has at most `most`. Returns its id and when it is over."""
        await tx.execute(_SQL.forget_challenges, {"factor_id": factor_id, "most": most - 1})
        parameters = {"factor_id": factor_id, "session_id": session_id, "seconds": seconds}
        [(id, expires_at)] = await tx.tuples(_SQL.insert_challenge, parameters)
        return id, expires_at

    async def challenge_state(self, tx: Transaction, factor_id: UUID, id: UUID) -> ChallengeState | None:
        rows = await tx.tuples(_SQL.challenge, {"factor_id": factor_id, "id": id})
        return ChallengeState(*rows[0]) if rows else None

    async def use_challenge(self, tx: Transaction, id: UUID) -> bool:
        return await tx.execute(_SQL.use_challenge, {"id": id}) == 1

    async def replace_codes(self, tx: Transaction, factor_id: UUID, hashes: Sequence[bytes]) -> None:
        await tx.execute(_SQL.delete_codes, {"factor_id": factor_id})
        await tx.execute(_SQL.insert_codes, {"factor_id": factor_id, "hashes": list(hashes)})

    async def count_codes(self, tx: Transaction, factor_id: UUID) -> tuple[int, int]:
        """Returns how many there are, and how many of them have not been used."""
        [(total, remaining)] = await tx.tuples(_SQL.count_codes, {"factor_id": factor_id})
        return total, remaining

    async def use_code(self, tx: Transaction, factor_id: UUID, hash: bytes) -> bool:
        return await tx.execute(_SQL.use_code, {"factor_id": factor_id, "hash": hash}) == 1
