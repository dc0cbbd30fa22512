"""What every object store promises, asked of a directory and of an S3 service."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from msgspec.structs import replace

from ogel.adapters.storage.local import LocalObjects
from ogel.adapters.storage.s3 import PART_BYTES, Bucket, BucketObjects
from ogel.kernel.errors import ConfigError, Unavailable
from ogel.kernel.ids import new_id
from ogel.runtime.objects import ObjectMissing, ObjectStore, StoreFull, delete_all, one, read
from tests.support.process import free_port
from tests.support.seaweed import Seaweed

Open = Callable[[], ObjectStore]
LATER = datetime.now(UTC) + timedelta(days=1)


# A MinIO of somebody's, with a bucket for tests.
MINIO = [
    os.environ.get(f"OGEL_TEST_MINIO_{name}", "")
    for name in ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")
]


@pytest.fixture(params=["local", "s3", *(["minio"] if all(MINIO) else [])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "local":
        return lambda: LocalObjects(tmp_path / "objects")
    if request.param == "minio":
        return lambda: BucketObjects(Bucket(*MINIO, region="us-east-1"))
    bucket = request.getfixturevalue("seaweed").bucket
    return lambda: BucketObjects(bucket)


def run(open: Open, story: Callable[[ObjectStore, str], Awaitable[None]]) -> None:
    """With a prefix of the test's own."""

    async def told() -> None:
        objects = open()
        try:
            await asyncio.wait_for(story(objects, f"{new_id('test')}/"), 60)
        finally:
            await objects.close()

    asyncio.run(told())


async def keys(store: ObjectStore, prefix: str) -> list[str]:
    return sorted(await listed(store, prefix))


async def listed(store: ObjectStore, prefix: str) -> list[str]:
    return [entry.key async for entry in store.list(prefix)]


def test_what_is_put_is_there_and_can_be_replaced(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        key = f"{prefix}a/b.c-d_e"
        for content in (b"first", b"", b"the second"):
            began = datetime.now(UTC)
            written = await store.put(key, one(content))
            digests = (
                hashlib.sha256(content).hexdigest(),
                hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
            assert (written.size, written.sha256, written.md5) == (len(content), *digests)
            assert await read(store, key, 100) == content
            entry = await store.stat(key)
            assert entry is not None
            assert (entry.key, entry.size) == (key, len(content))
            assert abs(entry.modified_at - began) < timedelta(minutes=1)
        with pytest.raises(ValueError, match="more than 9 bytes"):
            await read(store, key, 9)
        assert await keys(store, prefix) == [key]

    run(store, story)


def test_what_is_long_streams_in_both_directions(store: Open) -> None:
    """More than two parts of S3's, in pieces that fit into none."""
    pieces = [os.urandom(1_000_003) for _ in range(2 * PART_BYTES // 1_000_003 + 1)]

    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def story(store: ObjectStore, prefix: str) -> None:
        written = await store.put(f"{prefix}long", content())
        digest = hashlib.sha256()
        async with store.get(f"{prefix}long") as found:
            async for piece in found:
                assert len(piece) <= 1024 * 1024
                digest.update(piece)
        assert digest.hexdigest() == written.sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()

    run(store, story)


def test_what_its_length_is_known_of_is_stored_alike(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        for size in (0, 1, 300_000, PART_BYTES, PART_BYTES + 1):
            content = os.urandom(size)
            written = await store.put(f"{prefix}a", one(content), size)
            assert (written.size, written.md5) == (
                size,
                hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
            assert await read(store, f"{prefix}a", size) == content

    run(store, story)


def test_a_part_is_read_alone(store: Open) -> None:
    content = os.urandom(600_000)

    async def part(store: ObjectStore, key: str, first: int, end: int | None) -> bytes:
        async with store.get(key, first, end) as pieces:
            return b"".join([piece async for piece in pieces])

    async def story(store: ObjectStore, prefix: str) -> None:
        key = f"{prefix}a"
        await store.put(key, one(content))
        await store.put(f"{prefix}empty", one(b""))
        for first, end in [
            (0, None), (0, 1), (599_999, None), (599_999, 600_000), (10, 600_000), (262_144, 524_288), (1, 262_145),
            (5, 5), (0, 0), (600_000, None), (600_000, 600_001), (700_000, None), (599_999, 700_000),
        ]:  # fmt: skip
            assert await part(store, key, first, end) == content[first:end], (first, end)
        for first, end in [(0, None), (0, 1), (0, 0), (3, 9)]:
            assert await part(store, f"{prefix}empty", first, end) == b""
            with pytest.raises(ObjectMissing):
                await part(store, f"{prefix}none", first, end)

    run(store, story)


def test_a_copy_stays_when_what_it_was_made_of_goes(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        source, target = f"{prefix}a", f"{prefix}deep/er/b"
        await store.put(target, one(b"before"))
        await store.put(source, one(b"content"))
        for _ in range(2):
            await store.copy(source, target)
            assert await read(store, target, 100) == await read(store, source, 100) == b"content"
        assert await keys(store, prefix) == [source, target]
        await store.put(source, one(b"another"))
        assert await read(store, target, 100) == b"content"
        await store.delete(source)
        assert await read(store, target, 100) == b"content"
        with pytest.raises(ObjectMissing):
            await store.copy(source, target)
        assert await read(store, target, 100) == b"content"
        assert await store.sweep(prefix, LATER) == 0

    run(store, story)


def test_urls_name_the_place_that_clients_reach() -> None:
    private = Bucket("http://minio.internal:9000", "b", "key", "secret", "auto")
    for bucket, beginning in [
        (private, "http://minio.internal:9000/b/a?"),
        (replace(private, public_endpoint="https://files.example"), "https://files.example/b/a?"),
        (
            replace(private, endpoint="https://storage.railway.app", is_virtual=True),
            "https://b.storage.railway.app/a?",
        ),
    ]:
        url = BucketObjects(bucket).presigned_get("a", 60)
        assert url is not None
        assert url.startswith(beginning)


def test_a_directory_has_no_urls_for_others(tmp_path: Path) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        assert store.presigned_get(f"{prefix}a", 60) is None
        assert store.presigned_put(f"{prefix}a", 60, 1) is None

    run(lambda: LocalObjects(tmp_path), story)


def test_whoever_has_a_url_does_what_it_was_made_for(seaweed: Seaweed) -> None:
    def asked(
        method: str, url: str | None, content: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        assert url is not None
        return urllib3.request(method, url, body=content, headers=headers, retries=False)

    async def story(store: ObjectStore, prefix: str) -> None:
        key = f"{prefix}a"
        await store.put(key, one(b"content"))
        named = "attachment; filename=\"a b.txt\"; filename*=UTF-8''%C3%A4"
        url = store.presigned_get(key, 60, content_type="text/plain; charset=utf-8", disposition=named)
        found = await asyncio.to_thread(asked, "GET", url)
        assert (found.status, found.data) == (200, b"content")
        assert found.headers["content-type"] == "text/plain; charset=utf-8"
        assert found.headers["content-disposition"] == named
        assert url is not None
        for wrong in (url.replace(key, f"{prefix}b"), url.replace("Expires=60", "Expires=600"), url[:-1]):
            assert (await asyncio.to_thread(asked, "GET", wrong)).status == 403
        assert (await asyncio.to_thread(asked, "PUT", url, b"x")).status == 403

        url = store.presigned_put(key, 60, 5, content_type="image/png")
        png = {"content-type": "image/png"}
        assert (await asyncio.to_thread(asked, "PUT", url, b"longer", **png)).status == 403
        assert (
            await asyncio.to_thread(asked, "PUT", url, b"12345", **{"content-type": "text/html"})
        ).status == 403
        assert await read(store, key, 100) == b"content"
        assert (await asyncio.to_thread(asked, "PUT", url, b"12345", **png)).status == 200
        assert await read(store, key, 100) == b"12345"
        for seconds in (0, 7 * 24 * 3600 + 1):
            with pytest.raises(ValueError, match="is signed for"):
                store.presigned_get(key, seconds)

    run(lambda: BucketObjects(seaweed.bucket), story)


def test_what_is_missing_says_so(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        with pytest.raises(ObjectMissing):
            await read(store, f"{prefix}none", 10)
        assert await store.stat(f"{prefix}none") is None
        assert await keys(store, prefix) == []
        await store.delete(f"{prefix}none")
        await store.put(f"{prefix}a", one(b"1"))
        # What is an object is no directory, and the other way round.
        assert await store.stat(f"{prefix}a/b") is None
        assert await store.stat(prefix.removesuffix("/")) is None
        with pytest.raises(ObjectMissing):
            await read(store, prefix.removesuffix("/"), 10)

    run(store, story)


def test_a_prefix_is_listed_and_deleted_without_its_neighbours(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        mine = [f"{prefix}one/{n:04}" for n in range(3)] + [f"{prefix}one/deep/er/x"]
        others = [f"{prefix}one-more/0000", f"{prefix}two/0000"]
        for key in mine + others:
            await store.put(key, one(key.encode()))
        assert await keys(store, f"{prefix}one/") == sorted(mine)
        assert {entry.size async for entry in store.list(f"{prefix}two/")} == {len(others[1])}
        assert await keys(store, prefix) == sorted(mine + others)
        assert await delete_all(store, f"{prefix}one/", but=(f"{prefix}one/deep/",)) == 3
        assert await keys(store, prefix) == sorted([mine[3], *others])
        assert await delete_all(store, prefix) == 3
        assert await keys(store, prefix) == []

    run(store, story)


def test_more_than_one_page_is_listed(store: Open) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        wanted = [f"{prefix}{n:04}" for n in range(520)]
        for start in range(0, len(wanted), 20):
            await asyncio.gather(*(store.put(key, one(b"")) for key in wanted[start : start + 20]))
        assert await listed(store, prefix) == wanted

    run(store, story)


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_a_put_that_is_broken_off_changes_nothing(store: Open, size: int) -> None:
    async def broken(error: BaseException | None) -> AsyncIterator[bytes]:
        yield b"x" * size
        if error is not None:
            raise error
        await asyncio.sleep(3600)

    async def story(store: ObjectStore, prefix: str) -> None:
        key = f"{prefix}a"
        await store.put(key, one(b"before"))
        with pytest.raises(LookupError, match="mine"):
            await store.put(key, broken(LookupError("mine")))
        with pytest.raises(OSError, match="mine"):
            await store.put(key, broken(OSError("mine")))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.put(key, broken(None)), 0.3)
        assert await read(store, key, 100) == b"before"
        assert await keys(store, prefix) == [key]
        # Nothing was left behind, either.
        assert await store.sweep(prefix, LATER) == 0

    run(store, story)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".a", "a/.b", "a b", "a\n", "a\x00", "ä",
     "a" * 513, "a\\b", "~", "%2e%2e/a"],
)  # fmt: skip
def test_a_key_that_leads_elsewhere_is_none(store: Open, key: str) -> None:
    async def story(store: ObjectStore, _: str) -> None:
        for asked in (store.put(key, one(b"")), read(store, key, 1), store.stat(key), store.delete(key)):
            with pytest.raises(ValueError, match="is no key"):
                await asked
        if key:
            with pytest.raises(ValueError, match="is no key"):
                await keys(store, f"{key}/")

    run(store, story)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    root = tmp_path / "objects"

    async def story(store: ObjectStore, prefix: str) -> None:
        await store.put(f"{prefix}a/b", one(b"1"))
        for path in [root, *root.rglob("*")]:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        await store.delete(f"{prefix}a/b")
        assert [path.name for path in root.iterdir()] == [".unfinished"]

    run(lambda: LocalObjects(root), story)


def test_a_full_disk_is_said_and_nothing_stays(tmp_path: Path) -> None:
    """A limit on the size of a file stands for a disk that takes a part of what is written."""

    async def story(store: ObjectStore, prefix: str) -> None:
        await store.put(f"{prefix}a", one(b"before"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StoreFull, match="has no room left: File too large"):
                await store.put(f"{prefix}a", one(b"x" * 150_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await read(store, f"{prefix}a", 100) == b"before"
        assert list((tmp_path / ".unfinished").iterdir()) == []

    run(lambda: LocalObjects(tmp_path), story)


def test_a_directory_holds_no_more_than_it_may(tmp_path: Path) -> None:
    root = tmp_path / "objects"

    async def story(store: ObjectStore, prefix: str) -> None:
        full = pytest.raises(StoreFull, match="OGEL_STORAGE_LOCAL_BYTES lets it hold 1000000 bytes")
        await store.put(f"{prefix}a", one(b"x" * 600_000))
        await store.copy(f"{prefix}a", f"{prefix}copy")  # takes no room
        with full:
            await store.put(f"{prefix}b", one(b"x" * 400_001))
        # What is announced is refused before it comes.
        with full:
            await store.put(f"{prefix}b", never_read(), 400_001)
        await store.put(f"{prefix}b", one(b"x" * 400_000), 400_000)
        with full:
            await store.put(f"{prefix}c", one(b"x"))
        assert await keys(store, prefix) == [f"{prefix}{name}" for name in ("a", "b", "copy")]
        await store.delete(f"{prefix}b")
        outcomes = await asyncio.gather(
            *(store.put(f"{prefix}{n}", one(b"x" * 150_000)) for n in range(5)), return_exceptions=True
        )
        assert sorted(isinstance(each, StoreFull) for each in outcomes) == [False] * 2 + [True] * 3

    async def never_read() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    run(lambda: LocalObjects(root, 1_000_000), story)

    async def again(store: ObjectStore, prefix: str) -> None:
        await store.put(f"{prefix}a", one(b"x" * 100_000))
        with pytest.raises(StoreFull):
            await store.put(f"{prefix}b", one(b"x"))

    run(lambda: LocalObjects(root, 1_000_000), again)


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def story(store: ObjectStore, prefix: str) -> None:
        with pytest.raises(Unavailable, match="file/objects cannot be used: Not a directory"):
            await store.put(f"{prefix}a", one(b""))
        assert await keys(store, prefix) == []

    run(lambda: LocalObjects(tmp_path / "file" / "objects"), story)


def test_what_a_kill_left_behind_is_swept(tmp_path: Path) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        await store.put(f"{prefix}a", one(b"1"))
        (tmp_path / ".unfinished" / "left").write_bytes(b"half")
        assert await store.sweep(prefix, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await store.sweep(prefix, LATER) == 1
        assert await keys(store, "") == [f"{prefix}a"]

    run(lambda: LocalObjects(tmp_path), story)


def test_an_upload_that_a_kill_left_behind_is_swept(seaweed: Seaweed) -> None:
    async def story(store: ObjectStore, prefix: str) -> None:
        assert isinstance(store, BucketObjects)
        store._requests.begin_parts(f"{prefix}a")
        assert await store.sweep("another/", LATER) == 0
        assert await store.sweep(prefix, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await store.sweep(prefix, LATER) == 1
        assert await store.sweep(prefix, LATER) == 0

    run(lambda: BucketObjects(seaweed.bucket), story)


def test_a_service_that_does_not_answer_is_named() -> None:
    bucket = Bucket(f"http://127.0.0.1:{free_port()}", "ogel-test", "key", "secret", "us-east-1")

    async def story(store: ObjectStore, prefix: str) -> None:
        with pytest.raises(Unavailable, match=r"^127.0.0.1:\d+ did not answer well: MaxRetryError$"):
            await store.put(f"{prefix}a", one(b""))
        with pytest.raises(Unavailable, match="did not answer well"):
            await keys(store, prefix)

    run(lambda: BucketObjects(bucket), story)


def test_a_refusal_and_a_wrong_setting_are_told_apart(seaweed: Seaweed) -> None:
    good = seaweed.bucket
    wrong = Bucket(good.endpoint, good.name, good.access_key, "another", good.region)
    impossible = Bucket(f"{good.endpoint}/path", good.name, good.access_key, good.secret_key, good.region)

    async def refused(store: ObjectStore, prefix: str) -> None:
        with pytest.raises(Unavailable, match="answered SignatureDoesNotMatch"):
            await store.put(f"{prefix}a", one(b""))

    async def no_setting(store: ObjectStore, prefix: str) -> None:
        with pytest.raises(ConfigError, match="has a path"):
            await store.stat(f"{prefix}a")

    run(lambda: BucketObjects(wrong), refused)
    run(lambda: BucketObjects(impossible), no_setting)
