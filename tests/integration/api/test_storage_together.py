"""Uploads that come together share a transaction, and each is what it would have been alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.conditions import ANY, Conditions
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.services import Storage
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.objects import one
from tests.support.world import World

CALLER = Caller(SYSTEM, "req_1")
_LIVE = b"""
SELECT o.name, count(b.key) FILTER (WHERE b.state = 'live' AND b.size = (o.metadata ->> 'size')::bigint)
FROM storage.objects AS o LEFT JOIN ogel.storage_blobs AS b ON b.version = o.version
WHERE o.bucket_id = %(bucket)s GROUP BY o.name ORDER BY o.name
"""
_LOST = b"""
SELECT count(*) FROM ogel.storage_blobs AS b
WHERE b.state = 'live' AND NOT EXISTS (SELECT FROM storage.objects AS o WHERE o.version = b.version)
"""


@pytest.fixture
def storage(api: World) -> Storage:
    found: Storage = api.platform.features["storage"].offers
    return found


@pytest.fixture
def bucket(api: World, storage: Storage) -> str:
    return api.run(storage.buckets.create(CALLER, NewBucket(f"t-{uuid4().hex[:12]}"))).id


async def put(storage: Storage, bucket: str, name: str, content: bytes = b"x", **how: Any) -> StoredObject:
    wanted = {"length": len(content), "upsert": False, **how}
    return await storage.writer.put(CALLER, bucket, name, one(content), Facts(), **wanted)


async def all_of(uploads: Sequence[Awaitable[StoredObject]]) -> list[str]:
    """The code of each one's error; of those that came through, nothing."""
    ended = await asyncio.gather(*uploads, return_exceptions=True)
    codes = []
    for each in ended:
        assert not isinstance(each, BaseException) or isinstance(each, StorageError), each
        codes.append(each.code if isinstance(each, StorageError) else "")
    return codes


def rows(api: World, query: bytes, **parameters: Any) -> list[tuple[Any, ...]]:
    async def read() -> list[tuple[Any, ...]]:
        async with api.platform.core.database.autocommit() as tx:
            return await tx.tuples(query, parameters)

    return api.run(read())


def test_of_many_to_one_name_one_creates_it_and_others_fail_alone(
    api: World, storage: Storage, bucket: str
) -> None:
    async def story() -> list[str]:
        others = [put(storage, bucket, f"other-{number}", b"12") for number in range(20)]
        return await all_of([*(put(storage, bucket, "one") for _ in range(10)), *others])

    codes = api.run(story())
    assert sorted(codes[:10]) == ["", *["KeyAlreadyExists"] * 9]
    assert codes[10:] == [""] * 20
    found = rows(api, _LIVE, bucket=bucket)
    assert len(found) == 21
    assert all(blobs == 1 for _, blobs in found)
    assert rows(api, _LOST) == [(0,)]


def test_of_many_that_replace_each_other_one_stays_whole(api: World, storage: Storage, bucket: str) -> None:
    sent = [str(number).encode() * (number + 1) for number in range(12)]

    async def story() -> list[str]:
        return await all_of([put(storage, bucket, "one", content, upsert=True) for content in sent])

    assert api.run(story()) == [""] * 12
    assert rows(api, _LIVE, bucket=bucket) == [("one", 1)]
    assert rows(api, _LOST) == [(0,)]
    assert api("GET", f"/storage/v1/object/authenticated/{bucket}/one").raw in sent
    events = rows(
        api,
        b"SELECT type, count(*) FROM ogel.events WHERE subject = %(subject)s GROUP BY type ORDER BY type",
        subject=f"{bucket}/one",
    )
    assert events == [("storage.object.created", 1), ("storage.object.updated", 11)]


def test_what_ends_while_an_upload_goes_on_is_seen_when_it_ends(
    api: World, storage: Storage, bucket: str
) -> None:
    async def story(meanwhile: Awaitable[object]) -> str:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            begun.set()
            await go_on.wait()
            yield b"late"

        upload = asyncio.create_task(
            storage.writer.put(CALLER, bucket, "late", slow(), Facts(), length=None, upsert=False)
        )
        await begun.wait()
        await meanwhile
        go_on.set()
        [code] = await all_of([upload])
        return code

    assert api.run(story(put(storage, bucket, "late"))) == "KeyAlreadyExists"
    api.run(storage.remover.remove(CALLER, bucket, ["late"]))
    assert api.run(story(storage.buckets.delete(CALLER, bucket))) == "NoSuchBucket"
    assert rows(api, _LOST) == [(0,)]


def test_announced_blobs_that_were_reaped_are_no_objects(api: World, storage: Storage, bucket: str) -> None:
    api.run(put(storage, bucket, "first"))
    rows(
        api,
        b"UPDATE ogel.storage_blobs SET state = 'deleting', until = now() WHERE state = 'pending' RETURNING 1",
    )
    [code] = api.run(all_of([put(storage, bucket, "second")]))
    assert code == "SlowDown"
    api.run(put(storage, bucket, "third"))
    assert [name for name, _ in rows(api, _LIVE, bucket=bucket)] == ["first", "third"]


def test_a_condition_is_asked_again_when_the_bytes_are_there(
    api: World, storage: Storage, bucket: str
) -> None:
    first = api.run(put(storage, bucket, "one", conditions=Conditions(if_none_match=ANY)))

    async def story() -> list[str]:
        """Of those that saw the same, one is right."""
        same = Conditions(if_match=[first.etag])
        return await all_of(
            [put(storage, bucket, "one", b"%d" % number, upsert=True, conditions=same) for number in range(5)]
        )

    assert sorted(api.run(story())) == ["", *["PreconditionFailed"] * 4]
    creating = Conditions(if_none_match=ANY)

    async def race() -> list[str]:
        return await all_of([put(storage, bucket, "two", upsert=True, conditions=creating) for _ in range(5)])

    assert sorted(api.run(race())) == ["", *["PreconditionFailed"] * 4]
    with pytest.raises(StorageError, match="If-Match"):
        api.run(storage.remover.remove_one(CALLER, bucket, "one", Conditions(if_match=[first.etag])))
    with pytest.raises(StorageError, match="If-Match"):
        api.run(put(storage, bucket, "three", conditions=Conditions(if_match=ANY)))
    assert rows(api, _LOST) == [(0,)]


_TRIGGER = b"""
CREATE FUNCTION public.judged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name LIKE '%loud' THEN RAISE EXCEPTION 'not in my bucket'; END IF;
  IF NEW.name LIKE '%quiet' THEN RETURN NULL; END IF;
  IF NEW.name LIKE '%broken' THEN PERFORM 1 / 0; END IF;
  NEW.user_metadata := '{"seen": true}';
  RETURN NEW;
END
$$;
CREATE TRIGGER judged BEFORE INSERT OR UPDATE ON storage.objects FOR EACH ROW EXECUTE FUNCTION public.judged();
"""


def test_triggers_of_users_are_heard_whoever_writes(api: World, storage: Storage, bucket: str) -> None:
    async def run(statement: bytes) -> None:
        async with api.platform.core.database.autocommit() as tx:
            await tx.execute(statement)

    api.run(run(_TRIGGER))
    try:
        names = ["fine", "loud", "quiet", "broken", "fine-2"]
        for how in ({"upsert": False}, {"upsert": True}, {"conditions": Conditions(if_none_match=ANY)}):

            async def story(how: Any = how) -> list[str]:
                return await all_of(
                    [put(storage, bucket, f"{len(how)}{how}-{name}", **how) for name in names]
                )

            codes = api.run(story())
            assert codes == ["", "DatabaseError", "AccessDenied", "InvalidParameter", ""], how
    finally:
        api.run(run(b"DROP FUNCTION public.judged CASCADE"))
    assert len(rows(api, _LIVE, bucket=bucket)) == 6
    assert rows(api, _LOST) == [(0,)]
