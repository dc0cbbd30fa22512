"""Uploads whose connections break, hang or meet others; driven by their service, where the bytes can be held back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.resumable import locks, segments
from ogel.features.storage.resumable.checksum import Checksum
from ogel.features.storage.resumable.service import UploadService
from ogel.features.storage.resumable.upload import NewUpload, Said, Upload
from ogel.features.storage.services import Storage
from ogel.kernel.principal import SYSTEM, Caller
from tests.support.world import World

CALLER = Caller(SYSTEM, "req_test")
BUCKET = "broken"


class Gone(Exception):
    """As the server tells that a client has left."""


@pytest.fixture(scope="module")
def storage(api: World) -> Storage:
    api.ok("POST", "/storage/v1/bucket", {"name": BUCKET})
    [offered] = [each.offers for each in api.platform.features.all() if each.name == "storage"]
    assert isinstance(offered, Storage)
    return offered


async def begun(uploads: UploadService, length: int | None) -> Upload:
    return await uploads.create(CALLER, NewUpload(BUCKET, str(uuid4()), length, Said(Facts())))


async def pieces(*given: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if then is not None:
        raise then


async def hanging(*given: bytes, sent: asyncio.Event) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    sent.set()
    await asyncio.Event().wait()


async def content_of(storage: Storage, upload: Upload) -> bytes:
    assert upload.name is not None
    found = await storage.reader.open(SYSTEM, BUCKET, upload.name)
    return b"".join([piece async for piece in found.read(0, found.object.size)])


def test_what_came_before_a_connection_broke_is_kept(api: World, storage: Storage) -> None:
    async def story() -> None:
        uploads = storage.uploads
        upload = await begun(uploads, 9)
        with pytest.raises(Gone):
            await uploads.append(CALLER, upload.id, 0, pieces(b"abc", b"d", then=Gone()), size=9)
        assert (await uploads.get(CALLER, upload.id)).received == 4
        done = await uploads.append(CALLER, upload.id, 4, pieces(b"efghi"), size=5)
        assert done.finished_at is not None
        assert await content_of(storage, upload) == b"abcdefghi"
        # With a checksum nobody knows whether they are right.
        summed = await begun(uploads, 9)
        checksum = Checksum("sha256", hashlib.sha256(b"abcdefghi").digest())
        with pytest.raises(Gone):
            await uploads.append(CALLER, summed.id, 0, pieces(b"abc", then=Gone()), checksum=checksum)
        assert (await uploads.get(CALLER, summed.id)).received == 0

    api.run(story())


def test_a_newer_request_is_let_in_with_what_the_older_had(api: World, storage: Storage) -> None:
    async def story() -> None:
        uploads = storage.uploads
        upload, sent = await begun(uploads, 9), asyncio.Event()
        older = asyncio.create_task(uploads.append(CALLER, upload.id, 0, hanging(b"abc", sent=sent)))
        await sent.wait()
        assert (await uploads.get(CALLER, upload.id)).received == 3
        with pytest.raises(StorageError, match="Another request") as refused:
            await older
        assert (refused.value.status, refused.value.code) == (423, "ResourceLocked")
        sent.clear()
        older = asyncio.create_task(uploads.append(CALLER, upload.id, 3, hanging(b"d", sent=sent)))
        await sent.wait()
        with pytest.raises(StorageError, match="conflict"):
            await uploads.append(CALLER, upload.id, 3, pieces(b"efghi"))
        assert (await asyncio.gather(older, return_exceptions=True))[0].status == 423
        await uploads.append(CALLER, upload.id, 4, pieces(b"efghi"))
        assert await content_of(storage, upload) == b"abcdefghi"

    api.run(story())


def test_a_request_of_another_process_is_asked_and_then_passed_over(
    api: World, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        here = storage.uploads
        elsewhere = Storage(storage.core, storage.settings).uploads
        upload, sent = await begun(here, 9), asyncio.Event()
        older = asyncio.create_task(here.append(CALLER, upload.id, 0, hanging(b"abc", sent=sent)))
        await sent.wait()
        assert (await elsewhere.get(CALLER, upload.id)).received == 3
        assert (await asyncio.gather(older, return_exceptions=True))[0].status == 423
        # One that does not hear, as its process was killed or hangs: what it writes later is refused.
        monkeypatch.setattr(locks, "_LOOK_SECONDS", 60.0)
        monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.2)
        sent.clear()
        released = asyncio.Event()

        async def late() -> AsyncIterator[bytes]:
            yield b"xyz"
            sent.set()
            await released.wait()

        older = asyncio.create_task(here.append(CALLER, upload.id, 3, late()))
        await sent.wait()
        done = await elsewhere.append(CALLER, upload.id, 3, pieces(b"defghi"))
        assert done.finished_at is not None
        released.set()
        assert (await asyncio.gather(older, return_exceptions=True))[0].status == 423
        assert await content_of(storage, upload) == b"abcdefghi"

    api.run(story())


def test_of_many_requests_for_one_offset_one_is_right(api: World, storage: Storage) -> None:
    async def story() -> None:
        uploads = storage.uploads
        upload = await begun(uploads, 30)
        for at in range(0, 30, 3):
            tried: list[Any] = await asyncio.gather(
                *(uploads.append(CALLER, upload.id, at, pieces(b"%03d" % at), size=3) for _ in range(5)),
                return_exceptions=True,
            )
            right = [each for each in tried if isinstance(each, Upload)]
            assert len(right) == 1, tried
            assert {each.status for each in tried if isinstance(each, StorageError)} <= {409, 423}
        assert await content_of(storage, upload) == b"".join(b"%03d" % at for at in range(0, 30, 3))

    api.run(story())


def test_segments_are_stored_as_they_come_and_joined_when_short(
    api: World, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(segments, "LEAST_BYTES", 100)
    content = bytes(range(256)) * 20

    async def story() -> None:
        uploads, at = storage.uploads, 0
        upload, sent = await begun(uploads, len(content)), asyncio.Event()
        # A connection that hangs in the third segment, and a process that dies there: two are stored.
        older = asyncio.create_task(
            uploads.append(CALLER, upload.id, 0, hanging(content[:2500], sent=sent), size=len(content))
        )
        await sent.wait()
        older.cancel()
        await asyncio.gather(older, return_exceptions=True)
        assert (await uploads.get(CALLER, upload.id)).received == 2000
        for size in (1, 30, 99, 100, 1001, 1500):
            at = (await uploads.get(CALLER, upload.id)).received
            await uploads.append(CALLER, upload.id, at, pieces(content[at : at + size]), size=size)
        at = (await uploads.get(CALLER, upload.id)).received
        await uploads.append(CALLER, upload.id, at, pieces(content[at:]))
        assert await content_of(storage, upload) == content
        found = await storage.reader.open(SYSTEM, BUCKET, str(upload.name))
        assert all(blob.size >= 100 for blob in found.blobs[:-1])
        assert len(found.blobs) < 12
        # Ends where its length does, without a length of its own.
        longer = await begun(uploads, 1500)
        with pytest.raises(StorageError, match="exceeded"):
            await uploads.append(CALLER, longer.id, 0, pieces(content[:700], content[700:1501]))
        assert (await uploads.get(CALLER, longer.id)).received == 1000

    api.run(story())
    leftover = (
        "SELECT count(*) FROM storage_blobs WHERE state = 'pending'"
        " AND (version IS NULL OR version NOT IN (SELECT version FROM storage_uploads))"
    )

    async def nobodys() -> int:
        async with storage.core.database.autocommit() as tx:
            return int(await tx.value(leftover.encode()))

    assert api.run(nobodys()) == 0
