"""Sets quotas. What exceeds one is refused by a trigger, so that two uploads at once never do so together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.storage.quotas.store import Quota, QuotaStore
from ogel.runtime.database.database import Database, Transaction


class QuotaService:
    """`user_bytes` is the quota of each user; 0: they have none."""

    def __init__(self, database: Database, store: QuotaStore, user_bytes: int) -> None:
        self._database = database
        self._store = store
        self._user_bytes = user_bytes

    async def of_buckets(self, ids: Sequence[str]) -> Mapping[str, Quota]:
        """By bucket; those without a quota are not in it."""
        async with self._database.autocommit() as tx:
            found = await self._store.all(tx, [_of_bucket(id) for id in ids])
        return {subject.partition(":")[2]: quota for subject, quota in found.items()}

    async def set_bucket(self, tx: Transaction, id: str, max_bytes: int | None) -> None:
        """
        From the end of the transaction on. What is there stays, though it may be more. None: no quota. The first one of
        a bucket lets uploads everywhere wait for the transaction, which must not have locked what uploads wait for.
        """
        subject = _of_bucket(id)
        if max_bytes is None:
            await self._store.end(tx, subject)
        elif not await self._store.change(tx, subject, max_bytes):
            await self._store.begin(tx, subject, max_bytes, bucket=id, owner=None)

    async def see_user(self, tx: Transaction, id: str | None) -> None:
        """Before the user stores something: counts from now on, if users have quotas. None: nobody who has one."""
        if id is None or not self._user_bytes:
            return
        subject = f"user:{id}"
        if await self._store.get(tx, subject) is None:
            await self._store.begin(tx, subject, self._user_bytes, bucket=None, owner=id)

    async def settle(self) -> None:
        """Lets the setting hold for users who were counted under another one."""
        async with self._database.autocommit() as tx:
            await self._store.settle_users(tx, self._user_bytes or None)


def _of_bucket(id: str) -> str:
    return f"bucket:{id}"
