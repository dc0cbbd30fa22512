"""The rules of multipart uploads. A part is a blob that is held until the upload ends; completing copies nothing."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from hashlib import md5
from itertools import pairwise
from uuid import UUID, uuid4

from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.errors import StorageError, too_large
from ogel.features.storage.objects.conditions import Conditions
from ogel.features.storage.objects.names import checked_name
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.writing import Content, Inspect, ObjectWriter, Target
from ogel.features.storage.policy import owner_of
from ogel.features.storage.s3.errors import (
    invalid_part,
    invalid_part_order,
    no_such_upload,
    part_too_small,
)
from ogel.features.storage.s3.uploads.store import MultipartStore
from ogel.features.storage.s3.uploads.upload import LEAST_PART_BYTES, Listed, Part, Upload
from ogel.features.storage.s3.xml import malformed
from ogel.features.storage.sniffing.signatures import HEAD_BYTES
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction

# What was begun and never ended is forgotten after a week.
LASTS_SECONDS = 7 * 86_400.0
# Of a person; programs of operators are not counted.
MOST_UPLOADS = 1000


class MultipartService:
    def __init__(
        self,
        database: Database,
        store: MultipartStore,
        writer: ObjectWriter,
        blobs: BlobService,
        inspect: Inspect,
    ) -> None:
        self._inspect = inspect
        self._database = database
        self._store = store
        self._writer = writer
        self._blobs = blobs

    async def begin(self, caller: Caller, bucket: str, key: str, facts: Facts) -> str:
        """Returns the upload's id. Raises what ObjectWriter.put raises, and SlowDown: somebody has too many of them."""
        name, id = checked_name(key), uuid4()
        async with self._database.transaction() as tx:
            await self._target(tx, caller, bucket, name, facts)
            owner = owner_of(caller.principal)
            if owner is not None and await self._store.count(tx, owner, MOST_UPLOADS) == MOST_UPLOADS:
                message = f"You have {MOST_UPLOADS} uploads under way: end some of them."
                raise StorageError(429, "SlowDown", message)
            await self._store.begin(
                tx,
                caller.principal,
                id=id,
                bucket=bucket,
                name=name,
                version=str(uuid4()),
                facts=facts,
                seconds=LASTS_SECONDS,
            )
        return id.hex

    async def put_part(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        id: str,
        number: int,
        content: AsyncIterable[bytes],
        length: int | None,
    ) -> Part:
        """
        Stores a part, in the place of one that had its number. Raises StorageError NoSuchUpload, EntityTooLarge (of all
        parts together, too), QuotaExceeded, and what the content raises.
        """
        principal = caller.principal
        async with self._database.transaction() as tx:
            upload = await self._found(tx, principal, bucket, key, id)
            target = await self._target(tx, caller, bucket, upload.name, upload.what_is_said)
            most = await self._room(tx, target, upload, number)
            if length is not None and length > most:
                raise too_large(self._writer.most_of(target.bucket))
            intent = await self._blobs.begin(
                tx,
                bucket=bucket,
                owner=owner_of(principal),
                reserve=length or 0,
                encrypted=target.bucket.encrypted,
            )
        try:
            filled = await self._blobs.fill(intent, content, most, length)
            async with self._database.transaction() as tx:
                upload = await self._found(tx, principal, bucket, key, id, lock=True)
                if filled.size > await self._room(tx, target, upload, number):
                    raise too_large(self._writer.most_of(target.bucket))
                former, _ = await self._store.others(tx, upload.version, number)
                await self._blobs.hold(
                    tx,
                    filled,
                    version=upload.version,
                    position=number,
                    until=upload.expires_at,
                    instead_of=former,
                )
                [part] = await self._store.parts(tx, upload.version, number - 1, 1)
        except BaseException:
            await self._blobs.give_up([intent])
            raise
        return part

    async def complete(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        id: str,
        wanted: Sequence[tuple[int, str]],
        conditions: Conditions,
    ) -> StoredObject:
        """
        `wanted` are numbers and ETags of the parts, with or without quotes; others are dropped. Raises StorageError
        NoSuchUpload, MalformedXML (none is wanted), InvalidPartOrder, InvalidPart, EntityTooSmall, and what
        ObjectWriter.put raises.
        """
        if not wanted:
            raise malformed("The list of parts is empty.")
        numbers = [number for number, _ in wanted]
        if any(one >= behind for one, behind in pairwise(numbers)):
            raise invalid_part_order()
        facts = await self._inspected(caller, bucket, key, id, numbers[0])
        async with self._database.transaction() as tx:
            upload = await self._found(tx, caller.principal, bucket, key, id, lock=True)
            held = {part.position: part for part in await self._blobs.held(tx, upload.version)}
            parts = []
            for number, etag in wanted:
                part = held.get(number)
                if part is None or part.md5.hex() != etag.strip('"').lower():
                    raise invalid_part()
                parts.append(part)
            if any(part.size < LEAST_PART_BYTES for part in parts[:-1]):
                raise part_too_small()
            target = await self._target(tx, caller, bucket, upload.name, facts, conditions)
            size = sum(part.size for part in parts)
            if size > (most := self._writer.most_of(target.bucket)):
                raise too_large(most)
            digest = md5(b"".join(part.md5 for part in parts), usedforsecurity=False).hexdigest()
            content = Content((), f'"{digest}-{len(parts)}"', None, size)
            # The object first, and then what quotas count: as all who store, or each would wait for the other.
            stored = await self._writer.commit(tx, caller, target, content, facts, upload.version)
            await self._blobs.keep_held(
                tx,
                [part.key for part in parts],
                bucket=bucket,
                owner=owner_of(caller.principal),
                version=upload.version,
            )
            await self._store.end(tx, upload.id)
        return stored

    async def abort(self, caller: Caller, bucket: str, key: str, id: str) -> None:
        """Raises StorageError NoSuchUpload."""
        async with self._database.transaction() as tx:
            upload = await self._found(tx, caller.principal, bucket, key, id, lock=True)
            await self._store.end(tx, upload.id)

    async def parts(
        self, caller: Caller, bucket: str, key: str, id: str, after: int, limit: int
    ) -> Sequence[Part]:
        """Those with numbers above `after`. Raises StorageError NoSuchUpload."""
        async with self._database.transaction() as tx:
            upload = await self._found(tx, caller.principal, bucket, key, id)
            return await self._store.parts(tx, upload.version, after, limit)

    async def page(
        self, caller: Caller, bucket: str, *, prefix: str, after: str, after_id: str, limit: int
    ) -> Sequence[Listed]:
        """Uploads that are not ended: of operators all, of people their own."""
        async with self._database.transaction() as tx:
            return await self._store.page(
                tx,
                caller.principal,
                bucket,
                prefix=prefix,
                after=after,
                after_id=_id(after_id),
                limit=limit,
            )

    async def _inspected(self, caller: Caller, bucket: str, key: str, id: str, first: int) -> Facts:
        """Looks at its first bytes for what is to be known of the object. Raises StorageError InvalidMimeType."""
        async with self._database.transaction() as tx:
            upload = await self._found(tx, caller.principal, bucket, key, id)
            facts = upload.what_is_said
            target = await self._target(tx, caller, bucket, upload.name, facts)
            held = await self._blobs.held(tx, upload.version)
            part = next((part for part in held if part.position == first), None)
            if part is None:
                await self._found(tx, caller.principal, bucket, key, id)  # or it was ended just now
                raise invalid_part()
        pieces = self._blobs.read([part.blob], 0, min(HEAD_BYTES, part.size))
        return self._inspect(target.bucket, facts, b"".join([piece async for piece in pieces]))

    async def _target(
        self,
        tx: Transaction,
        caller: Caller,
        bucket: str,
        name: str,
        facts: Facts,
        conditions: Conditions | None = None,
    ) -> Target:
        asked = {} if conditions is None else {"conditions": conditions}
        return await self._writer.target(tx, caller.principal, bucket, name, facts, upsert=True, **asked)

    async def _room(self, tx: Transaction, target: Target, upload: Upload, number: int) -> int:
        """How many bytes a part may have beside the others."""
        _, others = await self._store.others(tx, upload.version, number)
        return max(0, self._writer.most_of(target.bucket) - others)

    async def _found(
        self, tx: Transaction, principal: Principal, bucket: str, key: str, id: str, *, lock: bool = False
    ) -> Upload:
        parsed = _id(id)
        if parsed is not None:
            name = checked_name(key)
            if found := await self._store.find(tx, principal, parsed, bucket, name, lock=lock):
                return found
        raise no_such_upload()


def _id(text: str) -> UUID | None:
    try:
        return UUID(hex=text) if len(text) == 32 else None
    except ValueError:
        return None
