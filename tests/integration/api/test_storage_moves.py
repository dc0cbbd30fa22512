"""Objects moved and copied: whose bytes they are, and by which rules."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.removing import ObjectRemover
from ogel.features.storage.services import Storage
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Transaction
from ogel.runtime.objects import one
from tests.support.process import Response
from tests.support.world import World

CALLER = Caller(SYSTEM, "req_1")


@pytest.fixture
def storage(api: World) -> Storage:
    found: Storage = api.platform.features["storage"].offers
    return found


@pytest.fixture
def bucket(api: World, storage: Storage) -> str:
    return a_bucket(api, storage)


def a_bucket(
    api: World, storage: Storage, file_size_limit: int | None = None, types: str | None = None
) -> str:
    new = NewBucket(
        f"m-{uuid4().hex[:12]}", file_size_limit=file_size_limit, allowed_mime_types=types and [types]
    )
    return api.run(storage.buckets.create(CALLER, new)).id


def put(api: World, bucket: str, name: str, content: bytes = b"hello") -> None:
    path = f"/storage/v1/object/{bucket}/{name}"
    assert api("POST", path, raw=content, headers={"content-type": "text/plain"}).status == 200


def get(api: World, bucket: str, name: str) -> Response:
    return api("GET", f"/storage/v1/object/authenticated/{bucket}/{name}")


def sent(api: World, how: str, source: tuple[str, str], target: tuple[str, str], **headers: str) -> Response:
    body = {
        "bucketId": source[0],
        "sourceKey": source[1],
        "destinationBucket": target[0],
        "destinationKey": target[1],
    }
    return api("POST", f"/storage/v1/object/{how}", body, headers=headers)


def test_a_copy_has_bytes_of_its_own_and_what_is_moved_takes_its_bytes_along(
    api: World, storage: Storage, bucket: str
) -> None:
    other = a_bucket(api, storage)
    put(api, bucket, "one")
    copied = sent(api, "copy", (bucket, "one"), (other, "ü/copy"))
    assert (copied.status, copied.json["Key"]) == (200, f"{other}/ü/copy")
    assert sent(api, "move", (bucket, "one"), (other, "moved")).status == 200
    assert get(api, bucket, "one").status == 404
    assert get(api, other, "moved").raw == b"hello"
    assert api("DELETE", f"/storage/v1/object/{other}/moved").status == 200
    assert get(api, other, "%C3%BC/copy").raw == b"hello"
    assert get(api, other, "%C3%BC/copy").headers["etag"] == copied.json["metadata"]["eTag"]


def test_an_object_of_many_blobs_is_copied_whole(api: World, storage: Storage, bucket: str) -> None:
    """As uploads in parts leave them: more than are copied one by one, too."""
    for number, parts in (("few", 3), ("many", 120)):
        put(api, bucket, number, b"x")
        api.run(_split(api, bucket, number, parts))
        whole = get(api, bucket, number).raw
        assert len(whole) == parts
        assert sent(api, "copy", (bucket, number), (bucket, f"{number}-copy")).status == 200
        assert get(api, bucket, f"{number}-copy").raw == whole


async def _split(api: World, bucket: str, name: str, parts: int) -> None:
    """Lets the object have its blob so many times."""
    async with api.platform.core.database.autocommit() as tx:
        await tx.execute(
            b"WITH o AS (UPDATE storage.objects SET metadata = metadata || jsonb_build_object('size', %(parts)s::int)"
            b" WHERE bucket_id = %(bucket)s AND name = %(name)s RETURNING version)"
            b" INSERT INTO ogel.storage_blobs (key, state, until, version, position, bucket_id, size, md5)"
            b" SELECT key || '_' || number, state, until, version, number, bucket_id, size, md5"
            b" FROM ogel.storage_blobs JOIN o USING (version), generate_series(1, %(parts)s - 1) AS number",
            {"bucket": bucket, "name": name, "parts": parts},
        )
        keys = await tx.tuples(
            b"SELECT key FROM ogel.storage_blobs WHERE version = (SELECT version FROM storage.objects"
            b" WHERE bucket_id = %(bucket)s AND name = %(name)s) ORDER BY position",
            {"bucket": bucket, "name": name},
        )
    for (key,) in keys[1:]:
        await api.platform.core.objects.copy(keys[0][0], key)


def test_both_are_held_to_the_rules_of_where_they_go(api: World, storage: Storage, bucket: str) -> None:
    small, pictures = a_bucket(api, storage, 3), a_bucket(api, storage, types="image/*")
    put(api, bucket, "one")
    put(api, bucket, "two")
    for how in ("move", "copy"):
        assert sent(api, how, (bucket, "one"), (small, "one")).json["code"] == "EntityTooLarge"
        assert sent(api, how, (bucket, "one"), (pictures, "one")).json["code"] == "InvalidMimeType"
        assert sent(api, how, (bucket, "one"), ("nowhere", "one")).status == 404
        assert sent(api, how, (bucket, "one"), (bucket, "../one")).json["code"] == "InvalidKey"
        assert sent(api, how, (bucket, "one"), (bucket, "two")).status == 409
        assert sent(api, how, (bucket, "no\0ne"), (bucket, "three")).status == 404
        assert sent(api, how, (bucket, "one"), ("no\0where", "three")).status == 404
    assert get(api, bucket, "one").raw == b"hello"
    assert sent(api, "copy", (bucket, "one"), (bucket, "two"), **{"x-upsert": "true"}).status == 200


def test_what_is_looked_at_is_what_is_moved(
    api: World, storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever replaces it then waits, and finds nothing to replace."""
    small = a_bucket(api, storage, file_size_limit=5)
    put(api, bucket, "a")
    reader, replacing = storage.reader, list[asyncio.Task[StoredObject]]()

    async def seen(*asked: Any) -> StoredObject:
        found = await reader.seen(*asked)
        content, facts = one(b"too long"), Facts("text/plain")
        put = storage.writer.put(CALLER, bucket, "a", content, facts, length=8, upsert=True)
        replacing.append(asyncio.create_task(put))
        await asyncio.wait(replacing, timeout=0.3)
        return found

    async def end() -> None:
        await replacing[0]

    with monkeypatch.context() as patched:
        patched.setattr(storage.mover, "_reader", SimpleNamespace(seen=seen))
        assert sent(api, "move", (bucket, "a"), (small, "a")).status == 200
    api.run(end())
    assert (get(api, small, "a").raw, get(api, bucket, "a").raw) == (b"hello", b"too long")


def test_what_is_not_encrypted_is_not_moved_to_where_all_is(
    api: World, storage: Storage, bucket: str
) -> None:
    sealed = api.run(storage.buckets.create(CALLER, NewBucket(f"m-{uuid4().hex[:12]}", encrypted=True))).id
    put(api, bucket, "one")
    refused = sent(api, "move", (bucket, "one"), (sealed, "one"))
    assert (refused.status, refused.json["code"]) == (400, "InvalidRequest")
    assert get(api, bucket, "one").status == 200


def test_names_are_found_however_their_accents_are_written(api: World, bucket: str) -> None:
    composed, decomposed = "é/ü.txt", "e\u0301/u\u0308.txt"
    put(api, bucket, quote(decomposed))
    assert get(api, bucket, quote(decomposed)).raw == b"hello"
    for prefix in ("é", "e\u0301"):
        [found] = api.ok("POST", f"/storage/v1/object/list/{bucket}", {"prefix": prefix, "search": "u\u0308"})
        assert found["name"] == "ü.txt"
        page = api.ok(
            "POST", f"/storage/v1/object/list-v2/{bucket}", {"prefix": f"{prefix}/", "with_delimiter": True}
        )
        assert [each["key"] for each in page["objects"]] == ["ü.txt"]
    assert sent(api, "copy", (bucket, decomposed), (bucket, "copy")).status == 200
    assert sent(api, "copy", (bucket, composed), (bucket, "copy")).status == 409
    gone = api("DELETE", f"/storage/v1/object/{bucket}", {"prefixes": [decomposed, composed]})
    assert [each["name"] for each in gone.json] == [composed]


def test_a_large_bucket_is_emptied_by_a_job_and_what_comes_later_stays(
    api: World, storage: Storage, bucket: str
) -> None:
    """The job is performed here as a worker would."""

    async def fill() -> None:
        async with api.platform.core.database.autocommit() as tx:
            await tx.execute(
                b"INSERT INTO storage.objects (bucket_id, name, version)"
                b" SELECT %(bucket)s, 'a/' || number, number || %(bucket)s"
                b" FROM generate_series(1, 2100) AS number",
                {"bucket": bucket},
            )

    async def jobs() -> list[dict[str, object]]:
        async with api.platform.core.database.autocommit() as tx:
            return await tx.dicts(b"SELECT * FROM ogel.job_queue WHERE kind = 'storage.empty'")

    api.run(fill())
    assert not api.run(storage.buckets.empty(CALLER, bucket))
    put(api, bucket, "later")
    [job] = api.run(jobs())
    payload = job["payload"]

    class Waiting:
        def __init__(self) -> None:
            self.payload = payload

    api.run(storage.emptying.perform(Waiting(), None))  # type: ignore[arg-type]
    listed = api.ok("POST", f"/storage/v1/object/list-v2/{bucket}", {})
    assert [each["name"] for each in listed["objects"]] == ["later"]


def test_what_goes_while_it_is_deleted_is_not_there(
    api: World, storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(api, bucket, "a")
    rows = storage.object_rows
    other = ObjectRemover(storage.core.database, rows, storage.core.outbox)

    async def get(tx: Transaction, *place: str) -> StoredObject | None:
        found = await rows.get(tx, *place)
        await other.remove(CALLER, place[0], place[1:])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(storage.remover, "_rows", SimpleNamespace(get=get, delete=rows.delete))
        gone = api("DELETE", f"/storage/v1/object/{bucket}/a")
    assert (gone.status, gone.json["code"]) == (404, "NoSuchKey")
