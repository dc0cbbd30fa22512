"""Quotas of buckets and users: never exceeded, whoever asks at once, and exact whatever becomes of an upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.services import Storage
from ogel.kernel.principal import AUTHENTICATED, SYSTEM, Caller, Principal
from tests.support.world import World

ENVIRONMENT = {"OGEL_STORAGE_USER_BYTES": "1000"}
CALLER = Caller(SYSTEM, "req_1")


@pytest.fixture
def storage(api: World) -> Storage:
    found: Storage = api.platform.features["storage"].offers
    return found


def a_bucket(api: World, quota: int | None, **fields: Any) -> str:
    id = f"q-{uuid4().hex[:12]}"
    made = api("POST", "/api/storage/buckets", {"id": id, "quota_bytes": quota, **fields})
    assert (made.status, made.json["quota_bytes"]) == (201, quota)
    return id


def set_quota(api: World, bucket: str, quota: int | None) -> None:
    changed = api("PATCH", f"/api/storage/buckets/{bucket}", {"quota_bytes": quota})
    assert (changed.status, changed.json["quota_bytes"]) == (200, quota)


def counted(api: World, subject: str) -> tuple[int, int]:
    """What is used, and what is reserved; as the quota says, and as the blobs say."""
    said = _numbers(
        api, b"SELECT used_bytes, reserved_bytes FROM storage_quotas WHERE subject = %(subject)s", subject
    )
    there = _numbers(
        api,
        b"SELECT coalesce(sum(size) FILTER (WHERE state = 'live'), 0)::bigint,"
        b" coalesce(sum(size) FILTER (WHERE state = 'pending'), 0)::bigint FROM storage_blobs"
        b" WHERE %(subject)s IN ('bucket:' || bucket_id, 'user:' || owner_id)",
        subject,
    )
    assert said == there
    return said


def _numbers(api: World, query: bytes, subject: str) -> tuple[int, int]:
    async def ask() -> tuple[int, int]:
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            [(used, reserved)] = await tx.tuples(query, {"subject": subject})
            return used, reserved

    return api.run(ask())


def put(
    api: World, bucket: str, name: str, size: int, *, chunked: bool = False, caller: Caller = CALLER
) -> bool:
    """Returns whether there was room for it."""
    storage: Storage = api.platform.features["storage"].offers

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * (size // 2)
        yield b"x" * (size - size // 2)

    length = None if chunked else size
    try:
        api.run(storage.writer.put(caller, bucket, name, content(), Facts(), length=length, upsert=True))
    except StorageError as error:
        if error.code != "QuotaExceeded":
            raise
        return False
    return True


def test_a_quota_holds_for_each_way_to_fill_it(api: World) -> None:
    bucket = a_bucket(api, 100)
    assert put(api, bucket, "a", 60)
    assert not put(api, bucket, "b", 41)
    assert not put(api, bucket, "b", 41, chunked=True)
    assert put(api, bucket, "b", 40, chunked=True)
    assert counted(api, f"bucket:{bucket}") == (100, 0)
    # While an object is replaced, both are there.
    assert not put(api, bucket, "a", 50)
    assert put(api, bucket, "c", 0)
    set_quota(api, bucket, 200)
    assert put(api, bucket, "a", 50)
    assert counted(api, f"bucket:{bucket}") == (90, 0)
    answer = api("POST", f"/storage/v1/object/{bucket}/d", raw=b"x" * 111)
    assert (answer.status, answer.json["code"]) == (413, "QuotaExceeded")
    assert f"bucket:{bucket} is 200 bytes" in answer.json["message"]


def test_a_quota_counts_what_was_there_before_it(api: World) -> None:
    bucket = a_bucket(api, None)
    assert put(api, bucket, "a", 60)
    set_quota(api, bucket, 50)
    assert counted(api, f"bucket:{bucket}") == (60, 0)
    assert not put(api, bucket, "b", 1)
    set_quota(api, bucket, None)
    assert put(api, bucket, "b", 1000)


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(0, 60), min_size=2, max_size=8), chunked=st.booleans())
def test_uploads_at_once_never_exceed_it_together(api: World, sizes: list[int], chunked: bool) -> None:
    bucket = a_bucket(api, None)
    with ThreadPoolExecutor(len(sizes) + 1) as pool:
        # The quota comes in between.
        first = [
            pool.submit(put, api, bucket, str(at), size, chunked=chunked) for at, size in enumerate(sizes)
        ]
        pool.submit(set_quota, api, bucket, 100).result()
        kept = [size for size, work in zip(sizes, first, strict=True) if work.result()]
    used, reserved = counted(api, f"bucket:{bucket}")
    assert (used, reserved) == (sum(kept), 0)
    with ThreadPoolExecutor(len(sizes)) as pool:
        again = [pool.submit(put, api, bucket, f"again-{at}", size) for at, size in enumerate(sizes)]
        kept += [size for size, work in zip(sizes, again, strict=True) if work.result()]
    after, _ = counted(api, f"bucket:{bucket}")
    assert after == sum(kept)
    assert after <= max(100, used)


def test_each_user_has_the_quota_of_the_setting(api: World, storage: Storage) -> None:
    bucket = a_bucket(api, None, public=True)
    id = str(uuid4())
    user = Caller(Principal("user", id, role=AUTHENTICATED), "req_2")
    everyone = b"CREATE POLICY \"%b\" ON objects FOR ALL TO authenticated USING (bucket_id = '%b')"

    async def allow() -> None:
        async with storage.core.database.autocommit() as tx:
            await tx.execute(everyone % (bucket.encode(), bucket.encode()))

    api.run(allow())
    assert put(api, bucket, "a", 900, caller=user)
    assert not put(api, bucket, "b", 101, caller=user)
    assert counted(api, f"user:{id}") == (900, 0)
    other = Caller(Principal("user", str(uuid4()), role=AUTHENTICATED), "req_3")
    assert put(api, bucket, "c", 101, caller=other)
    assert put(api, bucket, "d", 5000)  # keys have none
    api.run(storage.quotas.settle())
    assert counted(api, f"user:{id}") == (900, 0)
