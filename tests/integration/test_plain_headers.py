"""Headers that the version before stored in plain: sent as they are, until a job of the migration seals them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from ogel.adapters.migrations import migrate, read_migrations
from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.webhooks.endpoints.headers import seal_headers, unseal_headers
from ogel.features.webhooks.endpoints.sealing import BATCH, SEAL_HEADERS, SealHeaders
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job
from ogel.runtime.secrets.vault import Vault
from tests.conftest import MIGRATIONS

BEFORE = 5
VAULT = Vault("a-secret-for-this-test-0123456789")
TOKEN = "Bearer a-token-of-the-receiver"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    pool = make_pool(url, PoolOptions(1, 2, 30, 5, 10))
    await pool.open()
    try:
        yield Database(pool, lambda _: None)
    finally:
        await pool.close()


def test_plain_headers_become_sealed_ones(empty_database_url: str) -> None:
    migrations = read_migrations(MIGRATIONS)
    asyncio.run(migrate(empty_database_url, migrations[:BEFORE]))
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            "INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, sealed_secret, headers, max_in_flight, "
            "timeout_seconds) SELECT 'wh_' || n, 'http://x', '{a}', '{a}', '', "
            "CASE WHEN n > 0 THEN jsonb_build_object('Authorization', %s::text) ELSE '{}' END, 1, 1 "
            "FROM generate_series(0, %s) AS n",
            [TOKEN, BATCH + 1],
        )
    asyncio.run(migrate(empty_database_url, migrations))
    with psycopg.connect(empty_database_url) as connection:
        [job] = connection.execute(
            "SELECT queue_name, status, dedupe_key FROM job_queue WHERE kind = %s", [SEAL_HEADERS]
        )
        assert job == ("cleanup", "pending", SEAL_HEADERS)

    async def story() -> None:
        async with opened(empty_database_url) as database:
            store = EndpointStore()
            async with database.autocommit() as tx:
                endpoint = await store.get(tx, "wh_1")
                assert endpoint is not None
                assert endpoint.headers == {"Authorization": "****"}
            # Written by the new version; and by the new one, then by the old one, which knows of no sealed ones.
            async with database.transaction() as tx:
                for id in ("wh_2", "wh_3"):
                    sealed = seal_headers(VAULT, id, {"X-New": "1"})
                    await store.replace_headers(tx, id, sealed, {"X-New": "****"})
                by_the_old_one = (
                    b"""UPDATE webhook_endpoints SET headers = '{"X-Old": "2"}' WHERE id = 'wh_3'"""
                )
                await tx.execute(by_the_old_one)
            job = Job("job_1", SEAL_HEADERS, {}, 0, "", "", 1, 1, "lease_1", utc_now(), utc_now(), None)
            for _ in range(2):
                await SealHeaders(database, store, VAULT).perform(job, None)
            async with database.autocommit() as tx:
                endpoint = await store.get(tx, "wh_1")
                assert endpoint is not None
                assert endpoint.headers == {"Authorization": "Bear…****"}

    asyncio.run(story())
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute("SELECT id, headers, sealed_headers FROM webhook_endpoints").fetchall()
    assert len(found) == BATCH + 2
    for id, plain, sealed in found:
        special = {"wh_0": {}, "wh_2": {"X-New": "1"}, "wh_3": {"X-Old": "2"}}
        expected = special.get(id, {"Authorization": TOKEN})
        assert plain == {}
        assert unseal_headers(VAULT, id, sealed) == expected
        assert TOKEN.encode() not in (sealed or b"")


def test_a_new_database_has_nothing_to_seal(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM job_queue").fetchone() == (0,)
