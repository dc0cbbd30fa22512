"""Secrets in the database: moved there from the endpoints' table, and read by workers once per version of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import psycopg

from ogel.adapters.egress import AddressGuard, EgressClient
from ogel.adapters.migrations import migrate, read_migrations
from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.webhooks.secrets.keyring import SigningKeys
from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.service import SecretRotation, SecretService
from ogel.features.webhooks.secrets.store import SealedSecret, SecretStore
from ogel.features.webhooks.sending.receiver import Receiver, Receivers
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.secrets.vault import Vault
from tests.support.schema import MIGRATIONS
from tests.unit.features.webhooks.secrets.vectors import V1
from tests.unit.runtime.test_vault import version_1

SECRET = "s" * 24
CALLER = Caller(Principal("key", "test"), "req_test")
MOVED_AT = 7


class CountingStore(SecretStore):
    """Remembers what workers had to read."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []

    async def live(self, tx: Transaction, webhook_ids: Sequence[str]) -> Mapping[str, Sequence[SealedSecret]]:
        self.reads.append(sorted(webhook_ids))
        return await super().live(tx, webhook_ids)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    async with make_pool(url, PoolOptions(1, 2, 30.0, 5.0, 10)) as pool:
        yield Database(pool, lambda _: None)


async def add_endpoint(database: Database, id: str, vault: Vault) -> Secret:
    secret = Secret.new("v1")
    async with database.transaction() as tx:
        await tx.execute(
            b"INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds)"
            b" VALUES (%(id)s, 'https://x.test/', '{}', '{}', 1, 1)",
            {"id": id},
        )
        await SecretService(database, SecretStore(), vault, AuditStore()).add(tx, id, secret)
    return secret


def test_the_migration_moves_each_secret(empty_database_url: str) -> None:
    url, migrations = empty_database_url, read_migrations(MIGRATIONS)
    asyncio.run(migrate(url, migrations[: MOVED_AT - 1]))
    sealed = version_1(SECRET, Secret.parse(V1.secret).material, "webhook-secret:wh_1")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO webhook_endpoints"
            " (id, url, event_globs, event_likes, max_in_flight, timeout_seconds, sealed_secret)"
            " VALUES ('wh_1', 'https://x.test/', '{*}', '{%%}', 1, 1, %s)",
            (sealed,),
        )
    asyncio.run(migrate(url, migrations))

    async def signed() -> str:
        async with opened(url) as database, database.autocommit() as tx:
            rings = await SigningKeys(SecretStore(), Vault(SECRET)).of(tx, ["wh_1"])
            return rings["wh_1"].sign(V1.timestamp, V1.id, V1.body)

    assert asyncio.run(signed()) == V1.signature


class Versions(Receivers):
    """Asked like a worker's batch: by the versions that the endpoints have now."""

    async def now(self, tx: Transaction, *ids: str) -> Mapping[str, Receiver]:
        versions = await tx.tuples(
            b"SELECT id, version FROM webhook_endpoints WHERE id = ANY (%(ids)s)", {"ids": list(ids)}
        )
        return await self.of(tx, dict(versions))


def receivers(store: SecretStore, vault: Vault, most: int = 10) -> Versions:
    return Versions(SigningKeys(store, vault), EgressClient(AddressGuard()), vault, most)


def test_endpoints_are_read_once_per_version(database_url: str) -> None:
    async def story() -> None:
        vault, store = Vault(SECRET), CountingStore()
        kept = receivers(store, vault)
        async with opened(database_url) as database:
            for id in ("wh_1", "wh_2"):
                await add_endpoint(database, id, vault)
            service = SecretService(database, SecretStore(), vault, AuditStore())
            async with database.autocommit() as tx:
                first = await kept.now(tx, "wh_1", "wh_2")
                assert store.reads == [["wh_1", "wh_2"]]
                assert await kept.now(tx, "wh_1", "wh_2") == first
                assert len(store.reads) == 1

                rotated = await service.rotate(CALLER, "wh_1", SecretRotation(overlap_seconds=60))
                second = await kept.now(tx, "wh_1", "wh_2")
                assert store.reads[1:] == [["wh_1"]]
                assert second["wh_2"] is first["wh_2"]
                both = second["wh_1"].keys.sign(V1.timestamp, "evt_1", b"x").split(" ")
                assert both[1] == first["wh_1"].keys.sign(V1.timestamp, "evt_1", b"x")
                assert second["wh_1"].keys.shared_secret(V1.timestamp) == rotated.secret

    asyncio.run(story())


def test_the_least_recently_used_endpoints_make_room(database_url: str) -> None:
    async def story() -> None:
        vault, store = Vault(SECRET), CountingStore()
        kept = receivers(store, vault, most=2)
        async with opened(database_url) as database:
            for n in range(3):
                await add_endpoint(database, f"wh_{n}", vault)
            async with database.autocommit() as tx:
                for wanted in ("wh_0", "wh_1", "wh_0", "wh_2", "wh_0", "wh_1"):
                    assert set(await kept.now(tx, wanted)) == {wanted}
                assert store.reads == [["wh_0"], ["wh_1"], ["wh_2"], ["wh_1"]]
                assert len(await kept.now(tx, *(f"wh_{n}" for n in range(3)))) == 3

    asyncio.run(story())


def test_an_unreadable_secret_costs_only_its_own_endpoint_and_is_tried_again(database_url: str) -> None:
    async def story() -> None:
        vault, store = Vault(SECRET), CountingStore()
        async with opened(database_url) as database:
            await add_endpoint(database, "wh_lost", Vault("l" * 24))
            await add_endpoint(database, "wh_1", vault)
            kept = receivers(store, vault)
            async with database.autocommit() as tx:
                for _ in range(2):
                    assert set(await kept.now(tx, "wh_lost", "wh_1", "wh_gone")) == {"wh_1"}
                assert store.reads == [["wh_1", "wh_lost"], ["wh_lost"]]

    asyncio.run(story())
