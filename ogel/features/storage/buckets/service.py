"""The rules of buckets."""

from __future__ import annotations

from psycopg import errors

from ogel.features.storage.buckets.bucket import Bucket, NewBucket
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.errors import (
    access_denied,
    bucket_exists,
    bucket_not_empty,
    no_such_bucket,
    refused_by_policy,
)
from ogel.features.storage.events import BUCKET_CREATED, BUCKET_DELETED, bucket_event
from ogel.features.storage.policy import READ, WRITE, on_behalf, owner_of
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.outbox import Outbox


class BucketService:
    def __init__(self, database: Database, store: BucketStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._audit = audit

    async def create(self, caller: Caller, new: NewBucket) -> Bucket:
        """Raises StorageError BucketAlreadyExists, AccessDenied."""
        async with self._database.transaction() as tx:
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
        async with self._database.transaction() as tx, on_behalf(tx, caller.principal, READ):
            bucket = await self._store.get(tx, id)
        if bucket is None:
            raise no_such_bucket()
        return bucket

    async def delete(self, caller: Caller, id: str) -> None:
        """Raises StorageError NoSuchBucket, AccessDenied, and InvalidRequest for one that holds objects."""
        async with self._database.transaction() as tx:
            async with on_behalf(tx, caller.principal, WRITE):
                if (bucket := await self._store.get(tx, id)) is None:
                    raise no_such_bucket()
            if await self._store.get_locked(tx, id) is None:
                raise no_such_bucket()
            if not await self._store.is_empty(tx, id):
                raise bucket_not_empty()
            async with on_behalf(tx, caller.principal, WRITE):
                if not await self._store.delete(tx, id):
                    raise access_denied()
            await self._audit.record(tx, caller, "bucket.delete", "bucket", id)
            await self._outbox.publish(tx, [bucket_event(BUCKET_DELETED, bucket)])
