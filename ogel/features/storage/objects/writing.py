"""Stores objects: may it be, the bytes are stored, and one transaction makes them an object's, with the event."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

from msgspec import Struct
from psycopg import errors

from ogel.features.storage.blobs.announced import AnnouncedBlobs
from ogel.features.storage.blobs.blob import Filled, Intent
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.buckets.rules import admitted
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.errors import (
    INTENT_LOST,
    StorageError,
    key_exists,
    no_such_bucket,
    precondition_failed,
    refused_by_policy,
    too_large,
)
from ogel.features.storage.events import OBJECT_CREATED, OBJECT_REMOVED, OBJECT_UPDATED, object_event
from ogel.features.storage.objects.commits import Commit, Commits
from ogel.features.storage.objects.conditions import NO_CONDITIONS, Conditions
from ogel.features.storage.objects.looking import Lookout
from ogel.features.storage.objects.names import checked_name, is_storable
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.store import ObjectRow, ObjectRows
from ogel.features.storage.policy import WRITE, is_operator, on_behalf, owner_of
from ogel.features.storage.quotas.service import QuotaService
from ogel.features.storage.scanning.service import Scans
from ogel.features.storage.sniffing.signatures import HEAD_BYTES
from ogel.features.storage.sniffing.sniff import inspected
from ogel.kernel.clock import utc_now
from ogel.kernel.ids import random_uuid
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox


class Target(Struct, frozen=True):
    """
    Where an object goes: who may write there has been asked. `replaces`: what is there may be replaced. `conditions`
    are asked again when it is.
    """

    bucket: Bucket
    name: str
    replaces: bool
    conditions: Conditions = NO_CONDITIONS


class Content(Struct, frozen=True):
    """
    What an object will consist of. `etag` is with its quotes; `sha256` is None for what came in parts. `parts` are
    those that are to be kept; whoever holds others keeps them in the same transaction (BlobService.keep_held).
    """

    parts: Sequence[Filled]
    etag: str
    sha256: bytes | None
    size: int


# Looks at the bucket, what was said of the object, and its first bytes; returns what is to be known of it.
Inspect = Callable[[Bucket, Facts, bytes], Facts]

# What is written only to see whether it may be.
_NOTHING = Content([], '""', None, 0)


def _as_they_are(facts: Facts) -> Facts:
    return facts


class _Begun(Struct, frozen=True):
    """
    An upload whose bytes may come. `at_once`: it is committed with others; then `replaces` is what was there.
    """

    target: Target
    intent: Intent
    at_once: bool = False
    replaces: StoredObject | None = None


class _Undone(Exception):
    """Takes back what was only tried."""


class ObjectWriter:
    def __init__(
        self,
        database: Database,
        buckets: BucketStore,
        rows: ObjectRows,
        blobs: BlobService,
        quotas: QuotaService,
        outbox: Outbox,
        scans: Scans,
        lookout: Lookout,
        announced: AnnouncedBlobs,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._buckets = buckets
        self._rows = rows
        self._blobs = blobs
        self._quotas = quotas
        self._outbox = outbox
        self._scans = scans
        self._lookout = lookout
        self._announced = announced
        self._commits = Commits(database, outbox)
        self._most_bytes = most_bytes

    async def put(
        self,
        caller: Caller,
        bucket_id: str,
        name: str,
        content: AsyncIterable[bytes],
        facts: Facts,
        *,
        length: int | None,
        upsert: bool,
        conditions: Conditions = NO_CONDITIONS,
        inspect: Inspect = inspected,
        completed: Callable[[Facts], Facts] = _as_they_are,
    ) -> StoredObject:
        """
        Stores a whole object. `length` is what was declared; None: unknown. `inspect` gets its first HEAD_BYTES, and
        says what is to be known of it, or raises. `completed` adds what was learned behind the content: how it is kept,
        and what was written of it. Raises StorageError NoSuchBucket, InvalidKey, AccessDenied,
        KeyAlreadyExists (with `upsert`: never), PreconditionFailed, EntityTooLarge, InvalidMimeType, QuotaExceeded.
        """
        name = checked_name(name)
        begun = None
        if conditions is NO_CONDITIONS and is_operator(caller.principal, WRITE):
            begun = await self._begun_at_once(caller.principal, bucket_id, name, facts, length, upsert=upsert)
        if begun is None:
            begun = await self._begun(
                caller.principal, bucket_id, name, facts, length, upsert=upsert, conditions=conditions
            )
        target, intent = begun.target, begun.intent
        try:
            head, content = await with_head(content, HEAD_BYTES)
            facts = inspect(target.bucket, facts, head)
            filled = await self._blobs.fill(intent, content, self.most_of(target.bucket), length)
            facts = completed(facts)
            whole = Content([filled], f'"{filled.md5.hex()}"', filled.sha256, filled.size)
            if begun.at_once:
                row = _row(target, whole, facts, str(random_uuid()), owner_of(caller.principal))
                if stored := await self._commits.commit(Commit(row, filled, begun.replaces)):
                    return stored
            async with self._database.transaction() as tx:
                return await self.commit(tx, caller, target, whole, facts)
        except BaseException as error:
            if begun.at_once and isinstance(error, StorageError) and error.code == INTENT_LOST:
                self._announced.forget()
            await self._blobs.give_up([intent])
            raise

    async def _begun(
        self,
        principal: Principal,
        bucket_id: str,
        name: str,
        facts: Facts,
        length: int | None,
        *,
        upsert: bool,
        conditions: Conditions,
    ) -> _Begun:
        async with self._database.transaction() as tx:
            target = await self.target(
                tx, principal, bucket_id, name, facts, upsert=upsert, conditions=conditions
            )
            self._check_length(target.bucket, length)
            intent = await self._blobs.begin(
                tx,
                bucket=bucket_id,
                owner=owner_of(principal),
                reserve=length or 0,
                encrypted=target.bucket.encrypted,
            )
        return _Begun(target, intent)

    async def _begun_at_once(
        self,
        principal: Principal,
        bucket_id: str,
        name: str,
        facts: Facts,
        length: int | None,
        *,
        upsert: bool,
    ) -> _Begun | None:
        """
        What `_begun` does, without a transaction of its own, for those whom neither policies nor quotas concern. None:
        they do, or there is more to do.
        """
        if owner_of(principal) is not None or not is_storable(bucket_id):
            return None
        place = await self._lookout.place(bucket_id, name)
        bucket, found = place.bucket, place.object
        if bucket is None:
            raise no_such_bucket()
        if place.counted or bucket.encrypted or bucket.scanned or (found is not None and found.is_expired):
            return None
        admitted(bucket, facts)
        self._check_length(bucket, length)
        if found is not None and not upsert:
            raise key_exists()
        intent = await self._announced.take()
        return _Begun(Target(bucket, name, upsert), intent, at_once=True, replaces=found)

    def _check_length(self, bucket: Bucket, length: int | None) -> None:
        if length is not None and length > (most := self.most_of(bucket)):
            raise too_large(most)

    def most_of(self, bucket: Bucket) -> int:
        """The most bytes of an object there."""
        own = bucket.file_size_limit
        return self._most_bytes if own is None else min(own, self._most_bytes)

    async def target(
        self,
        tx: Transaction,
        principal: Principal,
        bucket_id: str,
        name: str,
        facts: Facts | None,
        *,
        upsert: bool,
        conditions: Conditions = NO_CONDITIONS,
    ) -> Target:
        """
        Whether the principal may store an object there, asked before any of its bytes are read; its facts are held
        against the bucket's rules (None: nothing is known of it yet). Raises what `put` raises.
        """
        if not is_storable(bucket_id) or (bucket := await self._buckets.get(tx, bucket_id)) is None:
            raise no_such_bucket()
        if facts is not None:
            admitted(bucket, facts)
        target = Target(bucket, name, upsert, conditions)
        found = await self._rows.get(tx, bucket_id, name)
        if found is not None and found.is_expired:
            await forget_expired(tx, self._rows, self._outbox, bucket_id, name)
            found = None
        if is_operator(principal, WRITE):
            conditions.check(found)
            if found is not None and not upsert:
                raise key_exists()
            await self._quotas.see_user(tx, owner_of(principal))
            return target
        try:
            async with tx.as_one():
                await self._write(tx, principal, target, _NOTHING, facts or Facts(), str(random_uuid()))
                raise _Undone
        except _Undone:
            # Last, when it holds no locks that other uploads wait for.
            await self._quotas.see_user(tx, owner_of(principal))
            return target

    async def lock(self, tx: Transaction, bucket: str, name: str) -> None:
        """Nobody replaces or deletes what is there, if anything is, before the end of the transaction."""
        await self._rows.get_locked(tx, bucket, name)

    async def commit(
        self,
        tx: Transaction,
        caller: Caller,
        target: Target,
        content: Content,
        facts: Facts,
        version: str | None = None,
    ) -> StoredObject:
        """
        Makes the parts an object's, whose version will be `version` (None: a new one), with the event. The parts must
        be no longer than the bucket takes. Raises what `put` raises.
        """
        version = version or str(random_uuid())
        stored, is_new = await self._write(tx, caller.principal, target, content, facts, version)
        for position, part in enumerate(content.parts):
            await self._blobs.keep(
                tx,
                part,
                bucket=target.bucket.id,
                owner=owner_of(caller.principal),
                version=version,
                position=position,
            )
        type = OBJECT_CREATED if is_new else OBJECT_UPDATED
        await self._outbox.publish(tx, [object_event(type, stored)])
        await self._scans.begin(tx, stored)
        return stored

    async def _write(
        self,
        tx: Transaction,
        principal: Principal,
        target: Target,
        content: Content,
        facts: Facts,
        version: str,
    ) -> tuple[StoredObject, bool]:
        """Returns the object, and whether there was none of its name."""
        row = _row(target, content, facts, version, owner_of(principal))
        conditions, replaces = target.conditions, target.replaces
        try:
            async with on_behalf(tx, principal, WRITE):
                if conditions is not NO_CONDITIONS:
                    found = await self._rows.get_locked(tx, row.bucket, row.name)
                    conditions.check(found)
                    # Where there is none, there must be none when it is written either.
                    replaces = replaces and found is not None
                if replaces:
                    if (upserted := await self._rows.upsert(tx, row)) is None:
                        raise refused_by_policy()
                    return upserted, upserted.is_new
                if is_operator(principal, WRITE):
                    if (inserted := await self._rows.insert(tx, row)) is None:
                        raise refused_by_policy()
                    return inserted, True
                await self._rows.insert_unseen(tx, row)
        except errors.InsufficientPrivilege as error:
            raise refused_by_policy() from error
        except errors.ForeignKeyViolation as error:
            raise no_such_bucket() from error
        except errors.UniqueViolation as error:
            raise (
                precondition_failed("If-None-Match") if conditions.if_none_match else key_exists()
            ) from error
        if (stored := await self._rows.get(tx, row.bucket, row.name)) is None:
            raise refused_by_policy()
        return stored, True


async def forget_expired(tx: Transaction, rows: ObjectRows, outbox: Outbox, bucket: str, name: str) -> None:
    """Makes room for another of the name, where there is one that nobody is served any more."""
    if (gone := await rows.delete_expired(tx, bucket, name)) is not None:
        await outbox.publish(tx, [object_event(OBJECT_REMOVED, gone)])


async def with_head(content: AsyncIterable[bytes], most: int) -> tuple[bytes, AsyncIterator[bytes]]:
    """Returns the first bytes, at most so many, and all of the content, with them."""
    pieces, read = aiter(content), []
    length = 0
    while length < most and (piece := await anext(pieces, None)) is not None:
        read.append(piece)
        length += len(piece)

    async def all_of_it() -> AsyncIterator[bytes]:
        for piece in read:
            yield piece
        read.clear()
        async for piece in pieces:
            yield piece

    return b"".join(read)[:most], all_of_it()


def _row(target: Target, content: Content, facts: Facts, version: str, owner: str | None) -> ObjectRow:
    return ObjectRow(
        target.bucket.id,
        target.name,
        owner,
        version,
        metadata_of(content, facts),
        facts.user_metadata,
        content.sha256,
        facts.expires_at,
        "pending" if target.bucket.scanned else "none",
    )


def metadata_of(content: Content, facts: Facts) -> dict[str, Any]:
    """In the shape of Supabase, which users' SQL and clients read."""
    now = utc_now()
    return {
        "eTag": content.etag,
        "size": content.size,
        "mimetype": facts.content_type,
        "cacheControl": facts.cache_control,
        "lastModified": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "contentLength": content.size,
        "httpStatusCode": 200,
        **facts.headers,
    }
