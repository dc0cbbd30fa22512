"""Blobs that are encrypted: what is stored tells nothing, and can neither be changed nor moved unnoticed."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from ogel.features.storage.blobs.blob import Blob, Damaged
from ogel.features.storage.blobs.encryption import FRAME_BYTES, TAG_BYTES, stored_size
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.blobs.store import BlobStore
from ogel.features.storage.blobs.verify import Verifier
from ogel.features.storage.feature import SEALED
from ogel.kernel.errors import Unavailable
from ogel.runtime.objects import one, read
from ogel.runtime.secrets.sealed import SealedValues
from ogel.runtime.secrets.vault import Vault
from tests.support.blobs import Blobs
from tests.support.process import SECRET
from tests.support.world import World

FRAMED = FRAME_BYTES + TAG_BYTES
SIZES = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 4 * FRAME_BYTES, 9 * FRAME_BYTES + 5]


@pytest.fixture
def blobs(api: World) -> Blobs:
    return Blobs(api)


async def encrypted(blobs: Blobs, content: bytes, *, in_pieces_of: int = 50_000) -> Blob:
    async def pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(content), in_pieces_of):
            yield content[first : first + in_pieces_of]

    filled = await blobs.service.fill(await blobs.begin(encrypted=True), pieces(), len(content), len(content))
    assert (filled.size, filled.md5) == (len(content), hashlib.md5(content, usedforsecurity=False).digest())
    assert filled.sha256 == hashlib.sha256(content).digest()
    async with blobs.database.transaction() as tx:
        await blobs.service.keep(tx, filled, bucket="nowhere", owner=None, version="encrypted")
    return Blob(filled.intent.key, filled.size, filled.md5, filled.intent.sealed_key)


async def bytes_of(service: BlobService, blob: Blob, first: int, end: int) -> bytes:
    return b"".join([piece async for piece in service.read([blob], first, end)])


def test_any_part_is_read_and_the_store_knows_nothing(blobs: Blobs) -> None:
    async def story() -> None:
        for size in SIZES:
            content = os.urandom(size)
            blob = await encrypted(blobs, content, in_pieces_of=random.choice([100, 50_000, 10**6]))
            stored = await read(blobs.objects, blob.key, 10**6)
            assert len(stored) == stored_size(size)
            assert content[:16] not in stored or size < 16
            edges = {0, 1, size - 1, size, *(n * FRAME_BYTES + d for n in (1, 2, 4) for d in (-1, 0, 1))}
            for first in edges:
                for end in edges:
                    if 0 <= first <= end <= size:
                        assert await bytes_of(blobs.service, blob, first, end) == content[first:end]

    blobs.run(story())


def swapped(stored: bytes) -> bytes:
    return stored[FRAMED : 2 * FRAMED] + stored[:FRAMED] + stored[2 * FRAMED :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda stored: stored[:-1] + bytes([stored[-1] ^ 1]),
    "the first byte": lambda stored: bytes([stored[0] ^ 1]) + stored[1:],
    "frames change places": swapped,
    "a frame is left out": lambda stored: stored[FRAMED:],
    "the end is cut off": lambda stored: stored[: 2 * FRAMED],
    "a piece is cut off": lambda stored: stored[:-1],
    "the end comes twice": lambda stored: stored[: 2 * FRAMED] + stored[2 * FRAMED :] * 2,
    "nothing is left": lambda stored: b"",
}


def test_what_is_changed_is_not_read(blobs: Blobs) -> None:
    async def story() -> None:
        content = os.urandom(2 * FRAME_BYTES + 100)
        blob, other = await encrypted(blobs, content), await encrypted(blobs, content)
        stored = await read(blobs.objects, blob.key, 10**6)
        changed = {name: change(stored) for name, change in CHANGES.items()}
        changed["another's"] = await read(blobs.objects, other.key, 10**6)
        for name, bytes_now in changed.items():
            await blobs.objects.put(blob.key, one(bytes_now))
            if name != "the end comes twice":  # what is behind the end is not looked at
                with pytest.raises(Damaged):
                    await bytes_of(blobs.service, blob, 0, blob.size)
            read_before: list[bytes] = []
            with pytest.raises(Damaged):
                async for piece in blobs.service.read(
                    [Blob(blob.key, 3 * FRAME_BYTES, None, blob.sealed_key)], 0, 3 * FRAME_BYTES
                ):
                    read_before.append(piece)
            assert content.startswith(b"".join(read_before)), name
        # A size that is not what was stored makes another frame the last one.
        await blobs.objects.put(blob.key, one(stored))
        with pytest.raises(Damaged):
            await bytes_of(
                blobs.service, Blob(blob.key, 2 * FRAME_BYTES, None, blob.sealed_key), 0, 2 * FRAME_BYTES
            )
        # Its key is not for another.
        with pytest.raises(Unavailable):
            await bytes_of(blobs.service, Blob(other.key, other.size, None, blob.sealed_key), 0, 1)

    blobs.run(story())


def test_a_copy_is_encrypted_where_it_should_be(blobs: Blobs) -> None:
    async def story() -> None:
        content = os.urandom(100_000)
        plain, sealed = await blobs.kept(content[:900], "plain"), await encrypted(blobs, content)
        for source, wanted in [(plain, content[:900]), (sealed, content)]:
            for is_encrypted in (False, True):
                intent = await blobs.begin(encrypted=is_encrypted)
                filled = await blobs.service.copy(intent, source)
                assert (filled.size, filled.md5) == (source.size, source.md5)
                copied = Blob(intent.key, filled.size, filled.md5, intent.sealed_key)
                assert await bytes_of(blobs.service, copied, 0, copied.size) == wanted
                is_stored = await read(blobs.objects, intent.key, 10**6) == wanted
                assert is_stored is not is_encrypted

    blobs.run(story())


def test_keys_go_with_the_secret(blobs: Blobs) -> None:
    """As `ogel secrets` has it: the blobs stay as they are."""

    async def story() -> None:
        blob = await encrypted(blobs, b"content")
        newer = Vault("another secret of thirty letters", [SECRET])
        async for done in SealedValues(blobs.database, newer, SEALED).reseal():
            assert done.unreadable == 0
        resealed = await blobs.tuples(
            b"SELECT sealed_key FROM ogel.storage_blobs WHERE key = %(key)s", {"key": blob.key}
        )
        moved = Blob(blob.key, blob.size, blob.md5, bytes(resealed[0][0]))
        alone = BlobService(
            blobs.database, blobs.objects, BlobStore(), Vault("another secret of thirty letters")
        )
        assert await bytes_of(alone, moved, 0, 7) == b"content"
        with pytest.raises(Unavailable):
            await bytes_of(blobs.service, moved, 0, 7)
        back = Vault(SECRET, ["another secret of thirty letters"])
        async for _ in SealedValues(blobs.database, back, SEALED).reseal():
            pass

    blobs.run(story())


def test_objects_of_such_a_bucket_are_served_as_all_others(api: World, blobs: Blobs) -> None:
    assert api("POST", "/storage/v1/bucket", {"name": "secret"}).status == 200
    blobs.run(blobs.tuples(b"UPDATE buckets SET encrypted = true WHERE id = 'secret' RETURNING 1", {}))
    content = os.urandom(300_000)
    sent = {"content-type": "application/octet-stream"}
    assert api("POST", "/storage/v1/object/secret/a", raw=content, headers=sent).status == 200
    found = api("GET", "/storage/v1/object/authenticated/secret/a", headers={"range": "bytes=70000-140000"})
    assert (found.status, found.raw) == (206, content[70_000:140_001])
    assert found.headers["etag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'

    async def key() -> str:
        rows = await blobs.tuples(
            b"SELECT key FROM ogel.storage_blobs WHERE bucket_id = 'secret' AND state = 'live'", {}
        )
        ((key,),) = rows
        assert len(await read(blobs.objects, key, 10**6)) == stored_size(len(content))
        return str(key)

    async def verified() -> set[str]:
        report = await Verifier(blobs.database, blobs.objects, blobs.service, timedelta(0)).run(sample=1.0)
        return {each.kind for each in report.findings if each.bucket == "secret"}

    stored_as = blobs.run(key())
    assert blobs.run(verified()) == set()
    blobs.run(blobs.objects.put(stored_as, one(os.urandom(stored_size(len(content))))))
    assert blobs.run(verified()) == {"hash_mismatch"}
