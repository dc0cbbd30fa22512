"""The table one_time_codes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ogel.features.accounts.codes.code import Code, FreshCode, Guess, Purpose
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class CodeStore:
    async def put(
        self,
        tx: Transaction,
        code: FreshCode,
        user_id: UUID,
        purpose: Purpose,
        address: str,
        flow_id: UUID | None,
        seconds: int,
    ) -> None:
        """Takes the place of the user's code of this purpose."""
        row = {
            "id": code.id,
            "hash": code.hash,
            "user_id": user_id,
            "purpose": purpose,
            "address": address,
            "flow_id": flow_id,
            "seconds": seconds,
        }
        await tx.execute(_SQL.put_code, row)

    async def count_try(
        self, tx: Transaction, address: str, purposes: Sequence[Purpose], most: int
    ) -> list[tuple[UUID, UUID, bool]]:
        """Returns id, user, and whether it is of a flow, of each code that digits may still be tried for."""
        parameters = {"address": address, "purposes": list(purposes), "most": most}
        rows = await tx.tuples(_SQL.count_try, parameters)
        return [(id, user_id, pkce) for id, user_id, pkce in rows]

    async def owner(self, tx: Transaction, guess: Guess) -> UUID | None:
        """Whose code it would be; it may be used or gone before `use` is called."""
        parameters = {"hashes": list(guess.hashes), "purposes": list(guess.purposes)}
        owner: UUID | None = await tx.value(_SQL.whose_code, parameters)
        return owner

    async def use(self, tx: Transaction, guess: Guess, user_id: UUID) -> Code | None:
        """Of any number of calls for a code, one returns it."""
        parameters = {
            "hashes": list(guess.hashes),
            "purposes": list(guess.purposes),
            "user_id": user_id,
        }
        return await tx.one(_SQL.use_code, parameters, Code)

    async def drop(self, tx: Transaction, user_id: UUID, purposes: Sequence[Purpose]) -> None:
        await tx.execute(_SQL.drop_codes, {"user_id": user_id, "purposes": list(purposes)})
