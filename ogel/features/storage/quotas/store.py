"""Rows of quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class Quota(Struct, frozen=True):
    """In bytes. `reserved_bytes` are of uploads under way; with `used_bytes` they are never more than `max_bytes`, save
    where there was more before the quota."""

    max_bytes: int
    used_bytes: int
    reserved_bytes: int


class _OfSubject(Quota, frozen=True):
    subject: str


class QuotaStore:
    """A subject is `bucket:ID` or `user:ID`."""

    async def get(self, tx: Transaction, subject: str) -> Quota | None:
        return await tx.one(_SQL.get, {"subject": subject}, Quota)

    async def all(self, tx: Transaction, subjects: Sequence[str]) -> Mapping[str, Quota]:
        found = await tx.all(_SQL.of_buckets, {"subjects": list(subjects)}, _OfSubject)
        return {each.subject: each for each in found}

    async def change(self, tx: Transaction, subject: str, max_bytes: int) -> bool:
        """Returns whether there was one."""
        return await tx.execute(_SQL.change, {"subject": subject, "max_bytes": max_bytes}) == 1

    async def begin(
        self, tx: Transaction, subject: str, max_bytes: int, *, bucket: str | None, owner: str | None
    ) -> None:
        """Nobody else writes a blob until the transaction ends: it should be soon. Raises DatabaseLocked."""
        await tx.execute(_SQL.be_impatient)
        await tx.execute(_SQL.hold_still)
        parameters = {"subject": subject, "max_bytes": max_bytes, "bucket": bucket, "owner": owner}
        await tx.execute(_SQL.begin, parameters)

    async def end(self, tx: Transaction, subject: str) -> None:
        await tx.execute(_SQL.end, {"subject": subject})

    async def settle_users(self, tx: Transaction, max_bytes: int | None) -> None:
        await tx.execute(_SQL.settle_users, {"max_bytes": max_bytes})
