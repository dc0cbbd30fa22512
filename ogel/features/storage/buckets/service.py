"""The rules of buckets."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from psycopg import errors

from ogel.features.storage.buckets.bucket import Bucket, BucketChange, NewBucket
from ogel.features.storage.buckets.rules import Rules, checked
from ogel.features.storage.buckets.store import BucketStore, Column
from ogel.features.storage.errors import (
    access_denied,
    bucket_exists,
    bucket_not_empty,
    no_such_bucket,
    refused_by_policy,
)
from ogel.features.storage.events import BUCKET_CREATED, BUCKET_DELETED, BUCKET_UPDATED, bucket_event
from ogel.features.storage.objects.emptying import Emptying
from ogel.features.storage.objects.names import checked_bucket_name, is_storable
from ogel.features.storage.policy import READ, WRITE, is_operator, on_behalf, owner_of
from ogel.features.storage.quotas.service import QuotaService
from ogel.features.storage.scanning.service import Scans
from ogel.kernel.errors import Invalid
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox

# Of a list that asks for no limit.
_MOST = 10_000


class BucketService:
    def __init__(
        self,
        database: Database,
        store: BucketStore,
        emptying: Emptying,
        outbox: Outbox,
        audit: AuditTrail,
        quotas: QuotaService,
        scans: Scans,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._store = store
        self._emptying = emptying
        self._outbox = outbox
        self._audit = audit
        self._quotas = quotas
        self._scans = scans
        self._most_bytes = most_bytes

    async def create(self, caller: Caller, new: NewBucket, *, quota_bytes: int | None = None) -> Bucket:
        """
        Raises StorageError InvalidBucketName, BucketAlreadyExists, AccessDenied, and what `rules.checked` raises.
        """
        name = None if new.name is None else checked_bucket_name(new.name)
        new = self._checked(replace(new, id=checked_bucket_name(new.id), name=name))
        async with self._database.transaction() as tx:
            if quota_bytes is not None:
                await self._quotas.set_bucket(tx, new.id, quota_bytes)
            try:
                async with on_behalf(tx, caller.principal, WRITE):
                    bucket = await self._store.create(tx, new, owner_of(caller.principal))
            except errors.InsufficientPrivilege as error:
                raise refused_by_policy() from error
            if bucket is None:
                raise bucket_exists()
            await self._audit.record(tx, caller, "bucket.create", "bucket", bucket.id)
            await self._outbox.publish(tx, [bucket_event(BUCKET_CREATED, bucket)])
        return bucket

    async def get(self, caller: Caller, id: str) -> Bucket:
        """Raises StorageError NoSuchBucket, for one that the caller may not see as well."""
        async with self._database.transaction() as tx:
            return await self._seen(tx, caller, id)

    async def list(
        self,
        caller: Caller,
        *,
        search: str = "",
        column: Column = "id",
        descending: bool = False,
        after: str | None = None,
        limit: int = _MOST,
        offset: int = 0,
    ) -> Sequence[Bucket]:
        """Those that the caller may see, with `search` in their names (in any case), whose ids are behind `after`."""
        if not is_storable(search) or (after is not None and not is_storable(after)):
            return []
        async with self._database.transaction() as tx, on_behalf(tx, caller.principal, READ):
            return await self._store.list(
                tx,
                search=search,
                column=column,
                descending=descending,
                after=after,
                limit=min(limit, _MOST),
                offset=offset,
            )

    async def update(
        self, caller: Caller, id: str, change: BucketChange, *, quota_bytes: int | UnsetType | None = UNSET
    ) -> Bucket:
        """
        Raises StorageError NoSuchBucket, for one that the caller may not see as well, AccessDenied, and what
        `rules.checked` raises.
        """
        change = self._checked(change)
        async with self._database.transaction() as tx:
            await self._seen(tx, caller, id)
            if quota_bytes is not UNSET:
                await self._quotas.set_bucket(tx, id, quota_bytes)
            if (bucket := await self._store.get_to_change(tx, id)) is None:
                raise no_such_bucket()
            try:
                async with on_behalf(tx, caller.principal, WRITE):
                    changed = await self._store.update(tx, change.of(bucket))
            except errors.InsufficientPrivilege as error:
                raise refused_by_policy() from error
            if changed is None:
                raise access_denied()
            if bucket.scanned and not changed.scanned:
                await self._scans.let_go(tx, id)
            await self._audit.record(tx, caller, "bucket.update", "bucket", id)
            await self._outbox.publish(tx, [bucket_event(BUCKET_UPDATED, changed)])
        return changed

    async def empty(self, caller: Caller, id: str) -> bool:
        """
        Deletes all objects that are there now; of many, the rest by a job. Returns whether it is done. Raises
        StorageError NoSuchBucket, and AccessDenied for who is under policies.
        """
        if not is_operator(caller.principal, WRITE):
            raise access_denied()
        async with self._database.transaction() as tx:
            await self._seen(tx, caller, id)
            await self._audit.record(tx, caller, "bucket.empty", "bucket", id)
        return await self._emptying.begin(id)

    def _checked(self, rules: Rules) -> Rules:
        if getattr(rules, "scanned", False) is True and not self._scans.are_possible:
            raise Invalid.field("body.scanned", "needs a scanner: the setting OGEL_CLAMAV names one")
        return checked(rules, self._most_bytes)

    async def _seen(self, tx: Transaction, caller: Caller, id: str) -> Bucket:
        bucket = None
        if is_storable(id):
            async with on_behalf(tx, caller.principal, READ):
                bucket = await self._store.get(tx, id)
        if bucket is None:
            raise no_such_bucket()
        return bucket

    async def delete(self, caller: Caller, id: str) -> None:
        """Raises StorageError NoSuchBucket, AccessDenied, and ResourceNotEmpty for one that holds objects."""
        async with self._database.transaction() as tx:
            bucket = await self._seen(tx, caller, id)
            if await self._store.get_locked(tx, id) is None:
                raise no_such_bucket()
            if not await self._store.is_empty(tx, id):
                raise bucket_not_empty()
            async with on_behalf(tx, caller.principal, WRITE):
                if not await self._store.delete(tx, id):
                    raise access_denied()
            await self._quotas.set_bucket(tx, id, None)
            await self._audit.record(tx, caller, "bucket.delete", "bucket", id)
            await self._outbox.publish(tx, [bucket_event(BUCKET_DELETED, bucket)])
