"""What looks after objects reads few rows, however many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from ogel.features.storage.lifecycle.store import Ends, LifecycleStore
from ogel.features.storage.quotas.store import QuotaStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Queries, Transaction
from tests.support.world import World

BLOBS = Queries.beside("ogel.features.storage.blobs.verify")
_MANY = 3000
_FILL = b"""
WITH bucket AS (INSERT INTO buckets (id, name) VALUES (%(bucket)s, %(bucket)s) RETURNING id), made AS (
  INSERT INTO objects (bucket_id, name, version)
  SELECT id, CASE WHEN number <= 3 THEN 'few/' ELSE 'many/' END || number, gen_random_uuid()::text
  FROM bucket, generate_series(1, %(many)s) AS number
  RETURNING bucket_id, version
)
INSERT INTO storage_blobs (key, state, until, version, bucket_id, owner_id, size)
SELECT 'blobs/' || version, 'live', now(), version, bucket_id, %(bucket)s || row_number() OVER () %% 1000, 1 FROM made
"""
_READ = b"""
SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_all_tables
WHERE relid = ANY (ARRAY['objects', 'storage_blobs']::regclass[])
"""


@pytest.fixture(scope="module")
def bucket(api: World) -> Iterator[str]:
    id = f"c-{uuid4().hex[:12]}"
    database = api.platform.features["storage"].offers.core.database

    async def fill() -> None:
        async with database.autocommit() as tx:
            await tx.execute(_FILL, {"bucket": id, "many": _MANY})
            await tx.execute(b"ANALYZE objects, storage_blobs")

    async def clear() -> None:
        async with database.autocommit() as tx:
            await tx.execute(b"DELETE FROM objects WHERE bucket_id = %(bucket)s", {"bucket": id})
            await tx.execute(b"DELETE FROM buckets WHERE id = %(bucket)s", {"bucket": id})

    api.run(fill())
    yield id
    api.run(clear())


def rows_read(api: World, work: Callable[[Transaction], Awaitable[object]]) -> int:
    async def performed() -> int:
        async with api.platform.features["storage"].offers.core.database.transaction() as tx:
            before = await tx.value(_READ)
            await work(tx)
            return int(await tx.value(_READ) - before)

    return api.run(performed())


def test_a_rule_that_ends_few_objects_looks_at_few(api: World, bucket: str) -> None:
    store = LifecycleStore()
    few = Ends(bucket, "few/", utc_now())
    none_so_old = Ends(bucket, "", utc_now() - timedelta(days=1))

    async def work(tx: Transaction) -> None:
        assert await store.count(tx, utc_now(), [few, none_so_old], 1000) == 3
        assert len(await store.delete_aged(tx, few, 2)) == 2
        assert await store.delete_aged(tx, none_so_old, 1000) == []

    assert rows_read(api, work) < 50


def test_the_quota_of_a_user_is_begun_from_what_the_user_has(api: World, bucket: str) -> None:
    """Nobody else writes meanwhile."""

    async def work(tx: Transaction) -> None:
        user = f"{bucket}7"
        await QuotaStore().begin(tx, f"user:{user}", 100, bucket=None, owner=user)
        quota = await QuotaStore().get(tx, f"user:{user}")
        await QuotaStore().end(tx, f"user:{user}")
        assert quota is not None and quota.used_bytes == 3

    assert rows_read(api, work) < 50


def test_a_page_of_blobs_is_verified_without_all_objects(api: World, bucket: str) -> None:
    async def work(tx: Transaction) -> None:
        assert len(await tx.tuples(BLOBS.page, {"after": "", "limit": 500})) == 500

    assert rows_read(api, work) < 2 * 500 + 50
