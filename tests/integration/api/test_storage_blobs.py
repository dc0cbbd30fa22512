"""Blobs from intent to reaping: what is left behind is found, and nothing that is wanted is lost."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import pytest

from ogel.cli.in_process import _answer
from ogel.features.storage.blobs.blob import Blob, Intent
from ogel.features.storage.blobs.service import Lease
from ogel.features.storage.errors import StorageError
from ogel.features.storage.services import Storage
from ogel.kernel.errors import Unavailable
from ogel.runtime.objects import ObjectMissing, ObjectStore, StoreFull, one, read
from tests.support.blobs import Blobs
from tests.support.process import ADMIN_KEY, Response
from tests.support.world import World

BRIEF = Lease(seconds=60.3, renewed_seconds=0.05, again_seconds=0.05)


@pytest.fixture
def blobs(api: World) -> Blobs:
    return Blobs(api)


def test_what_is_never_kept_is_deleted_twice(blobs: Blobs) -> None:
    """The second time for what arrives in the store after the first."""

    async def story() -> None:
        filled = await blobs.filled(b"content")
        key = filled.intent.key
        assert await blobs.service.reap() == 0
        assert (await blobs.rows(key))[key] == ("pending", pytest.approx(900, abs=20))
        await blobs.time_is_over(key)
        assert await blobs.service.reap() == 1
        assert not await blobs.is_stored(key)
        assert (await blobs.rows(key))[key] == ("deleting", pytest.approx(3600, abs=20))
        assert await blobs.service.reap() == 0

        await blobs.objects.put(key, one(b"late"))
        await blobs.time_is_over(key)
        assert await blobs.service.reap() == 1
        assert not await blobs.is_stored(key)
        assert await blobs.rows(key) == {}

    blobs.run(story())


def test_what_is_being_deleted_can_not_be_kept(blobs: Blobs) -> None:
    async def story() -> None:
        late, given_up = await blobs.filled(b"late"), await blobs.filled(b"given up")
        await blobs.time_is_over(late.intent.key)
        await blobs.service.give_up([given_up.intent])
        for filled in (late, given_up):
            await blobs.service.reap()
            with pytest.raises(StorageError, match="took too long"):
                async with blobs.database.transaction() as tx:
                    await blobs.service.keep(tx, filled, bucket="nowhere", owner=None, version="v")
            assert not await blobs.is_stored(filled.intent.key)

    blobs.run(story())


def test_what_is_kept_stays_until_it_is_let_go_and_then_for_readers(blobs: Blobs) -> None:
    async def story() -> None:
        blob = await blobs.kept(b"content", "stays")
        await blobs.time_is_over(blob.key)
        await blobs.service.give_up([Intent(blob.key)])
        assert await blobs.service.reap() == 0
        assert await read(blobs.objects, blob.key, 100) == b"content"
        await blobs.tuples(b"SELECT ogel.storage_let_versions_go(ARRAY['stays'])", {})
        assert await blobs.service.reap() == 0
        assert (await blobs.rows(blob.key))[blob.key] == ("deleting", pytest.approx(600, abs=20))
        await blobs.time_is_over(blob.key)
        assert await blobs.service.reap() == 1
        assert not await blobs.is_stored(blob.key)
        assert await blobs.rows(blob.key) == {}

    blobs.run(story())


class Stubborn:
    """A store that does not delete some keys."""

    def __init__(self, objects: ObjectStore, *keys: str) -> None:
        self._objects = objects
        self.keys = set(keys)
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    async def delete(self, key: str) -> None:
        self.tries += 1
        if key in self.keys:
            raise Unavailable("it stays")
        await self._objects.delete(key)


def test_a_blob_that_can_not_be_deleted_stops_no_others_and_is_tried_again(api: World) -> None:
    objects = Stubborn(api.platform.core.objects)
    blobs = Blobs(api, objects)  # type: ignore[arg-type]

    async def story() -> None:
        keys = [(await blobs.kept(b"x", "stubborn", n)).key for n in range(5)]
        await blobs.tuples(b"SELECT ogel.storage_let_versions_go(ARRAY['stubborn'])", {})
        await blobs.time_is_over(*keys)
        objects.keys = {keys[2]}
        assert await blobs.service.reap() == 4
        assert await blobs.service.reap() == 0
        assert objects.tries == 5
        assert await blobs.rows(*keys) == {keys[2]: ("deleting", pytest.approx(300, abs=20))}
        await blobs.time_is_over(*keys)
        with pytest.raises(Unavailable, match="it stays"):
            await blobs.service.reap()
        objects.keys.clear()
        await blobs.time_is_over(*keys)
        assert await blobs.service.reap() == 1
        assert await blobs.rows(*keys) == {}

    blobs.run(story())


def test_whoever_fills_a_blob_for_long_keeps_its_lease(api: World) -> None:
    blobs = Blobs(api, lease=BRIEF)

    async def slowly(intent: Intent, done: asyncio.Event) -> AsyncIterator[bytes]:
        yield b"first"
        await blobs.time_is_over(intent.key)
        while (await blobs.rows(intent.key))[intent.key][1] < 0:
            await asyncio.sleep(0)
        yield b"second"
        done.set()

    async def story() -> None:
        intent, done = await blobs.begin(), asyncio.Event()
        began = asyncio.get_running_loop().time()
        filled = await blobs.service.fill(intent, slowly(intent, done), 1000)
        assert done.is_set()
        assert filled.md5 == hashlib.md5(b"firstsecond", usedforsecurity=False).digest()
        assert asyncio.get_running_loop().time() - began < 20

    blobs.run(story())


def test_whoever_has_lost_the_lease_writes_no_more(api: World) -> None:
    async def story(blobs: Blobs, forget: bool) -> None:
        intent = await blobs.begin()

        async def never_ending() -> AsyncIterator[bytes]:
            yield b"first"
            if forget:
                await blobs.time_is_over(intent.key)
                await blobs.service.reap()
            await asyncio.sleep(3600)

        with pytest.raises(StorageError, match="took too long"):
            await blobs.service.fill(intent, never_ending(), 1000)
        assert not await blobs.is_stored(intent.key)

    lost = Blobs(api, lease=BRIEF)
    lost.run(story(lost, True))
    # As when the database is away for long.
    silent = Blobs(api, lease=Lease(seconds=60.2))
    silent.run(story(silent, False))


def test_what_goes_wrong_on_the_way_is_told_as_it_is(blobs: Blobs) -> None:
    async def broken(error: Exception) -> AsyncIterator[bytes]:
        yield b"1"
        raise error

    async def filled(content: AsyncIterable[bytes]) -> None:
        await blobs.service.fill(await blobs.begin(), content, 10)

    async def story() -> None:
        with pytest.raises(StorageError, match="maximum allowed size: 10 bytes"):
            await filled(one(b"x" * 11))
        with pytest.raises(TimeoutError, match="mine"):
            await filled(broken(TimeoutError("mine")))
        with pytest.raises(LookupError, match="mine"):
            await filled(broken(LookupError("mine")))

    blobs.run(story())


class Ill:
    """A store that says what is wrong, with words that are for operators."""

    def __init__(self, objects: ObjectStore, error: Exception) -> None:
        self._objects = objects
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    async def put(self, *_: Any) -> None:
        raise self._error

    async def copy(self, *_: Any) -> None:
        raise self._error


def test_clients_do_not_hear_where_the_store_is(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    core = api.platform.core
    assert api("POST", "/storage/v1/bucket", {"name": "ill"}).status == 200

    def stored(error: Exception) -> tuple[int, str, str]:
        ill = Ill(core.objects, error)
        monkeypatch.setattr(core.features["storage"].offers.blobs, "_objects", ill)
        headers = {"content-type": "text/plain"}
        answer = _asked(api, "POST", "/storage/v1/object/ill/a", b"content", headers)
        return answer.status, answer.json["code"], answer.json["message"]

    full = stored(StoreFull("/data/storage has no room left: OGEL_STORAGE_LOCAL_BYTES"))
    assert full == (507, "InsufficientStorage", "There is no room left in the store.")
    away = stored(Unavailable("minio.railway.internal:9000 did not answer well"))
    assert away == (503, "SlowDown", "The store does not answer as it should; try it again later.")


def test_what_cannot_be_read_is_told_so_in_place_of_its_head(api: World) -> None:
    storage: Storage = api.platform.features["storage"].offers
    assert api("POST", "/storage/v1/bucket", {"name": "unread"}).status == 200
    headers = {"content-type": "text/plain"}
    assert api("POST", "/storage/v1/object/unread/a", raw=b"content", headers=headers).status == 200
    path = "/storage/v1/object/authenticated/unread/a"

    async def lose() -> str:
        async with storage.core.database.autocommit() as tx:
            key = await tx.value(
                b"SELECT key FROM storage_blobs WHERE bucket_id = 'unread' AND state = 'live'"
            )
        await storage.core.objects.delete(key)
        return str(key)

    key = api.run(lose())
    answer = _asked(api, "GET", path, b"", {})
    assert (answer.status, answer.json["code"]) == (404, "NoSuchKey")
    api.run(storage.core.objects.put(key, one(b"")))
    answer = _asked(api, "GET", path, b"", {"range": "bytes=2-"})
    assert (answer.status, answer.json["code"]) == (503, "SlowDown")
    assert "etag" not in answer.headers


def _asked(api: World, method: str, path: str, raw: bytes, headers: dict[str, str]) -> Response:
    """Of what is not well here, for once."""
    sent = {**headers, "authorization": f"Bearer {ADMIN_KEY}"}
    answer = api.run(_answer(api._app, method, path, sent, raw, 10))
    return Response(answer.status, answer.headers, answer.body)


def test_blobs_that_follow_one_another_are_read_as_one(blobs: Blobs) -> None:
    async def bytes_of(parts: list[Blob], first: int, end: int) -> bytes:
        return b"".join([piece async for piece in blobs.service.read(parts, first, end)])

    async def story() -> None:
        contents = [b"one", b"", b"three", b"4"]
        parts = [await blobs.kept(each, "read", n) for n, each in enumerate(contents)]
        whole = b"".join(contents)
        for first in range(len(whole) + 1):
            for end in range(first, len(whole) + 1):
                assert await bytes_of(parts, first, end) == whole[first:end]
        await blobs.objects.put(parts[2].key, one(b"thr"))
        with pytest.raises(Unavailable, match="not all of the object's bytes"):
            await bytes_of(parts, 0, 9)
        await blobs.objects.delete(parts[2].key)
        with pytest.raises(StorageError, match="Object not found"):
            await bytes_of(parts, 0, 9)

    blobs.run(story())


def test_a_copy_has_bytes_of_its_own(blobs: Blobs) -> None:
    async def story() -> None:
        blob = await blobs.kept(b"content", "copied")
        copied = await blobs.service.copy(await blobs.begin(), blob)
        assert (copied.size, copied.md5) == (blob.size, blob.md5)
        await blobs.objects.delete(blob.key)
        assert await read(blobs.objects, copied.intent.key, 100) == b"content"
        with pytest.raises(StorageError, match="Object not found"):
            await blobs.service.copy(await blobs.begin(), blob)
        with pytest.raises(ObjectMissing):
            await read(blobs.objects, blob.key, 100)

    blobs.run(story())
