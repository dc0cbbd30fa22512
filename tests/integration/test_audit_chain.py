"""The audit chain: whatever is done to the records shows, and nothing that happens by itself looks like that."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.chain import Fault, Linked, Walk, link
from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import EndChanged, Ends, end_purpose
from ogel.features.audit.feature import build
from ogel.features.audit.purge import purge_of_audit_logs
from ogel.features.audit.sealing import BATCH, QUEUE, SEAL, Seal
from ogel.features.audit.service import AuditService
from ogel.features.audit.settings import AuditSettings
from ogel.features.audit.store import AuditStore
from ogel.features.audit.verify import ChainVerdict, verify_lines
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Malformed
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.secrets.sealed import SealedColumn, SealedValues
from ogel.runtime.secrets.vault import Vault
from tests.support.core import a_core
from tests.support.jobs import world

SECRET = "a secret of twenty-four c"
OPERATOR = Caller(SYSTEM, "req_1")
EARLIER = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


@dataclass
class Log:
    database: Database
    seal: Seal
    service: AuditService
    store: AuditStore
    ends: Ends

    async def seal_all(self) -> int:
        total = 0
        while sealed := await self.seal.batch():
            total += sealed
        return total

    async def verify(self) -> ChainVerdict:
        return await self.service.verify(lambda *_: None)

    async def purge(self, before: datetime, limit: int = 100) -> int:
        purge = purge_of_audit_logs(ChainStore(), self.ends, 30)
        async with self.database.transaction() as tx:
            counted = await purge.count(tx, before)
        total = 0
        while True:
            async with self.database.transaction() as tx:
                batch = await purge.batch(tx, before, limit)
            total += batch.deleted
            if batch.is_over:
                assert total == counted
                return total

    async def export(self, since: datetime = EARLIER, until: datetime | None = None) -> list[bytes]:
        piece = await self.service.begin_export(OPERATOR, since, until)
        return [line async for lines in self.service.lines(piece) for line in lines]


@asynccontextmanager
async def audit_log(url: str, secret: str = SECRET, former: tuple[str, ...] = ()) -> AsyncIterator[Log]:
    pool = make_pool(url, PoolOptions(1, 4, 30, 5, 10))
    await pool.open()
    database, store, chain = Database(pool, lambda _: None), AuditStore(), ChainStore()
    ends = Ends(Vault(secret, former))
    try:
        service = AuditService(database, store, chain, ends)
        yield Log(database, Seal(database, chain, ends), service, store, ends)
    finally:
        await pool.close()


def write(url: str, count: int, hours_ago: float = 1.0, prefix: str = "aud") -> None:
    """So many records, a second apart, the first as long ago as that; some with all there can be."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO audit_logs (id, user_id, actor, action, resource_type, resource_id, metadata, ip_address,
                                    user_agent, request_id, created_at)
            SELECT %(prefix)s || '_' || lpad(n::text, 7, '0'), CASE WHEN n %% 2 = 0 THEN gen_random_uuid() END, 'admin',
                   'thing.change', 'thing', 'thing_' || n,
                   CASE WHEN n %% 3 = 0 THEN '{}' ELSE
                     '{"b": [1, 2.50, 123456789012345678901234567890, 1e3, null], "a": {"\\u00e4": "\\u2028\\"\\\\"}}'
                   END::jsonb,
                   CASE WHEN n %% 2 = 0 THEN inet '2001:db8::1' END, CASE WHEN n %% 2 = 1 THEN E'a\\tb\\u00e9' END,
                   'req_' || n, now() - make_interval(secs => %(hours)s * 3600 - n)
            FROM generate_series(1, %(count)s) AS n
            """,
            {"prefix": prefix, "count": count, "hours": hours_ago},
        )


def execute(url: str, *statements: str) -> None:
    """As somebody who has the database, and may do anything to it."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(url: str) -> list[tuple[int | None, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT chain_seq, id FROM audit_logs ORDER BY created_at, id").fetchall()


def in_log(url: str, story: Callable[[Log], Any]) -> None:
    async def main() -> None:
        async with audit_log(url) as log:
            await story(log)

    asyncio.run(main())


def test_what_is_sealed_is_verified(database_url: str) -> None:
    async def story(log: Log) -> None:
        empty = await log.verify()
        assert (empty.ok, empty.records, empty.unsealed) == (True, 0, 0)
        write(database_url, 2 * BATCH + 7)
        assert (await log.verify()).unsealed == 2 * BATCH + 7
        assert await log.seal_all() == 2 * BATCH + 7
        verdict = await log.verify()
        assert (verdict.ok, verdict.records, verdict.first_seq, verdict.last_seq, verdict.unsealed) == (
            True,
            2 * BATCH + 7,
            1,
            2 * BATCH + 7,
            0,
        )
        write(database_url, 3, hours_ago=0.5, prefix="more")
        assert await log.seal_all() == 3
        longer = await log.verify()
        assert (longer.ok, longer.records) == (True, 2 * BATCH + 10)
        assert longer.head != verdict.head

    in_log(database_url, story)
    assert [seq for seq, _ in rows(database_url)] == list(range(1, 2 * BATCH + 11))


def test_what_may_still_be_joined_by_earlier_ones_waits(database_url: str) -> None:
    """The first record of two commits last: the second is sealed after it, however long that takes."""
    insert = "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id) VALUES (%s, 'x', 'x', 'x', 'x')"

    async def story(log: Log) -> None:
        with psycopg.connect(database_url, application_name="ogel") as slow:
            slow.execute(insert, ["first"])
            with psycopg.connect(database_url) as quick:
                quick.execute(insert, ["second"])
            # Two seconds are waited for in any case.
            for _ in range(11):
                await asyncio.sleep(0.2)
                assert await log.seal.batch() == 0
        async with asyncio.timeout(10):
            while not await log.seal.batch():
                await asyncio.sleep(0.05)

    in_log(database_url, story)
    assert rows(database_url) == [(1, "first"), (2, "second")]


def test_writers_that_commit_late_lose_and_double_nothing(database_url: str) -> None:
    """Sealers race each other and writers whose transactions stay open; in the end each record stands in one place."""
    writers, each = 6, 12

    async def story(log: Log) -> None:
        async def work(number: int) -> None:
            randomly = random.Random(number)
            for n in range(each):
                async with log.database.transaction() as tx:
                    await AuditStore().record(tx, OPERATOR, "thing.change", "thing", f"{number}-{n}")
                    await asyncio.sleep(randomly.choice((0, 0.01, 0.2)))

        async def keep_sealing() -> None:
            while True:
                await log.seal.batch()
                await asyncio.sleep(0.02)

        sealers = [asyncio.create_task(keep_sealing()) for _ in range(2)]
        await asyncio.gather(*(work(number) for number in range(writers)))
        # Dated before what was sealed ahead of it, as a transaction of three minutes would: sealed, in its own place.
        execute(
            database_url,
            "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at)"
            " VALUES ('late', 'x', 'x', 'x', 'x', now() - interval '3 minutes')",
        )
        async with asyncio.timeout(15):
            while (await log.verify()).unsealed:
                await asyncio.sleep(0.1)
        for sealer in sealers:
            sealer.cancel()
        await asyncio.gather(*sealers, return_exceptions=True)
        verdict = await log.verify()
        assert (verdict.broken, verdict.records) == (None, writers * each + 1)

    in_log(database_url, story)
    assert sorted(seq for seq, _ in rows(database_url) if seq) == list(range(1, writers * each + 2))


# What is done to twenty records, and what it is called; of which place.
TAMPERING: list[tuple[str, Fault, int | None]] = [
    ("UPDATE audit_logs SET actor = 'mallory' WHERE chain_seq = 7", "altered", 7),
    ("UPDATE audit_logs SET metadata = '{}' WHERE chain_seq = 8", "altered", 8),
    (
        "UPDATE audit_logs SET created_at = created_at + interval '1 microsecond' WHERE chain_seq = 20",
        "altered",
        20,
    ),
    ("UPDATE audit_logs SET ip_address = '10.0.0.1' WHERE chain_seq = 1", "altered", 1),
    ("UPDATE audit_logs SET hash = sha256('') WHERE chain_seq = 9", "altered", 9),
    ("UPDATE audit_logs SET hash = NULL WHERE chain_seq = 9", "altered", 9),
    ("DELETE FROM audit_logs WHERE chain_seq = 7", "removed", 7),
    ("DELETE FROM audit_logs WHERE chain_seq > 18", "removed", 19),
    ("DELETE FROM audit_logs", "removed", 1),
    ("DELETE FROM audit_logs WHERE chain_seq < 3", "purged", 1),
    ("UPDATE audit_logs SET chain_seq = NULL, hash = NULL WHERE chain_seq = 5", "removed", 5),
    # Removed, and the gap closed.
    (
        "DELETE FROM audit_logs WHERE chain_seq = 7; UPDATE audit_logs SET chain_seq = -chain_seq WHERE chain_seq > 7;"
        "UPDATE audit_logs SET chain_seq = -chain_seq - 1 WHERE chain_seq < 0",
        "removed",
        7,
    ),
    # One that was never written, with the others moved to make room.
    (
        "UPDATE audit_logs SET chain_seq = -chain_seq WHERE chain_seq > 7;"
        "UPDATE audit_logs SET chain_seq = -chain_seq + 1 WHERE chain_seq < 0;"
        "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at, chain_seq, hash) "
        "SELECT 'forged', 'x', 'x', 'x', 'x', created_at, 8, sha256('') FROM audit_logs WHERE chain_seq = 7",
        "inserted",
        8,
    ),
    (
        "DROP INDEX audit_logs_chain;"
        "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, chain_seq, hash) "
        "VALUES ('zzz_forged', 'x', 'x', 'x', 'x', 7, sha256(''))",
        "inserted",
        7,
    ),
    (
        "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, chain_seq, hash) "
        "VALUES ('forged', 'x', 'x', 'x', 'x', 21, sha256(''))",
        "inserted",
        21,
    ),
    (
        "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, chain_seq, hash) "
        "VALUES ('forged', 'x', 'x', 'x', 'x', 0, sha256(''))",
        "inserted",
        0,
    ),
    # Two have changed places: neighbours, and others.
    (
        "UPDATE audit_logs SET chain_seq = -1 WHERE chain_seq = 7;"
        "UPDATE audit_logs SET chain_seq = 7 WHERE chain_seq = 8;"
        "UPDATE audit_logs SET chain_seq = 8 WHERE chain_seq = -1",
        "reordered",
        7,
    ),
    (
        "UPDATE audit_logs SET chain_seq = -1 WHERE chain_seq = 7;"
        "UPDATE audit_logs SET chain_seq = 7 WHERE chain_seq = 15;"
        "UPDATE audit_logs SET chain_seq = 15 WHERE chain_seq = -1",
        "reordered",
        7,
    ),
    # The ends say something else, or what they said of another place.
    ("UPDATE audit_chain SET seq = 19 WHERE name = 'head'", "head", None),
    (
        "UPDATE audit_chain SET seq = 0, sealed = (SELECT sealed FROM audit_chain WHERE name = 'anchor') "
        "WHERE name = 'head'",
        "head",
        None,
    ),
    (
        "DELETE FROM audit_logs WHERE chain_seq < 3;"
        "UPDATE audit_chain SET seq = 2, hash = sha256('') WHERE name = 'anchor'",
        "anchor",
        None,
    ),
    ("DELETE FROM audit_chain WHERE name = 'head'", "inserted", 1),
]


@pytest.mark.parametrize(("statements", "fault", "seq"), TAMPERING)
def test_tampering_shows(database_url: str, statements: str, fault: Fault, seq: int | None) -> None:
    async def story(log: Log) -> None:
        write(database_url, 20)
        await log.seal_all()
        await log.purge(EARLIER)  # nothing, which writes the anchor
        assert (await log.verify()).ok
        execute(database_url, *statements.split(";"))
        verdict = await log.verify()
        assert not verdict.ok
        assert verdict.broken is not None
        assert verdict.broken.fault == fault, verdict.broken
        if seq is not None:
            assert verdict.broken.seq == seq
            with psycopg.connect(database_url) as connection:
                named = connection.execute(
                    "SELECT chain_seq FROM audit_logs WHERE id = %s", (verdict.broken.id,)
                ).fetchone()
            assert named == (None if verdict.broken.id is None else (seq,))

    in_log(database_url, story)


def test_a_chain_computed_anew_does_not_fit_the_head(database_url: str) -> None:
    """Whoever has the database can make every hash fit; not the head, without OGEL_SECRET."""

    async def story(log: Log) -> None:
        write(database_url, 20)
        await log.seal_all()
        execute(database_url, "UPDATE audit_logs SET actor = 'mallory' WHERE chain_seq = 7")
        async with log.database.transaction() as tx:
            before = bytes(32)
            for linked in await ChainStore().linked(tx, 1, 20, 100):
                before = link(before, linked.record)
                await tx.execute(
                    b"UPDATE audit_logs SET hash = %(hash)s WHERE chain_seq = %(seq)s",
                    {"hash": before, "seq": linked.seq},
                )
        verdict = await log.verify()
        assert verdict.broken is not None
        assert (verdict.broken.fault, verdict.records) == ("head", 20)
        # With a head to match, sealed by nobody or under a secret of their own:
        forged = Vault("mallory's secret of 24 chars").seal(
            (20).to_bytes(8, "big") + before, end_purpose("head")
        )
        async with log.database.autocommit() as tx:
            await tx.execute(
                b"UPDATE audit_chain SET hash = %(hash)s, sealed = %(sealed)s WHERE name = 'head'",
                {"hash": before, "sealed": forged},
            )
        verdict = await log.verify()
        assert verdict.broken is not None
        assert verdict.broken.fault == "head"
        # And nothing is sealed on top of it.
        write(database_url, 1, hours_ago=0.5, prefix="new")
        with pytest.raises(EndChanged):
            await log.seal.batch()

    in_log(database_url, story)


def test_a_backdated_record_shows_when_it_is_sealed(database_url: str) -> None:
    async def story(log: Log) -> None:
        write(database_url, 20)
        await log.seal_all()
        execute(
            database_url,
            "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at)"
            " VALUES ('forged', 'x', 'x', 'x', 'x', now() - interval '3 hours')",
        )
        await log.seal_all()
        broken = (await log.verify()).broken
        assert broken is not None
        assert (broken.fault, broken.seq, broken.id) == ("inserted", 21, "forged")

    in_log(database_url, story)


def test_verification_outlives_retention(database_url: str) -> None:
    async def story(log: Log) -> None:
        write(database_url, 250, hours_ago=100)
        write(database_url, 30, hours_ago=1, prefix="young")
        assert await log.purge(utc_now() - timedelta(hours=50)) == 0  # not sealed yet
        await log.seal_all()
        assert await log.purge(utc_now() - timedelta(hours=50)) == 250
        verdict = await log.verify()
        assert (verdict.broken, verdict.records, verdict.first_seq, verdict.last_seq) == (None, 30, 251, 280)
        # Nobody else may move the beginning.
        execute(database_url, "DELETE FROM audit_logs WHERE chain_seq = 251")
        broken = (await log.verify()).broken
        assert broken is not None
        assert (broken.fault, broken.seq) == ("purged", 251)
        execute(database_url, "UPDATE audit_chain SET seq = 251 WHERE name = 'anchor'")
        with pytest.raises(EndChanged):
            await log.purge(utc_now())

    in_log(database_url, story)


def test_everything_may_be_purged(database_url: str) -> None:
    async def story(log: Log) -> None:
        write(database_url, 20, hours_ago=100)
        await log.seal_all()
        assert await log.purge(utc_now()) == 20
        assert (await log.verify()).ok
        write(database_url, 5)
        await log.seal_all()
        verdict = await log.verify()
        assert (verdict.broken, verdict.records, verdict.first_seq) == (None, 5, 21)

    in_log(database_url, story)


def test_verifying_while_records_are_sealed_and_purged(database_url: str) -> None:
    async def story(log: Log) -> None:
        write(database_url, 3_000, hours_ago=100)
        await log.seal_all()

        async def churn() -> None:
            for n in range(1, 6):
                await log.purge(utc_now() - timedelta(hours=100) + timedelta(seconds=500 * n), limit=250)
                write(database_url, 100, hours_ago=1, prefix=f"more{n:02}")
                await log.seal_all()

        churning = asyncio.create_task(churn())
        while not churning.done():
            verdict = await log.verify()
            assert verdict.broken is None
        await churning

    in_log(database_url, story)


def test_an_export_is_verified_wherever_it_is(database_url: str) -> None:
    async def story(log: Log) -> None:
        write(database_url, 2_500, hours_ago=100)
        write(database_url, 5, hours_ago=1, prefix="young")
        await log.seal_all()
        lines = await log.export(until=utc_now() - timedelta(hours=50))
        verdict = verify_lines(lines, lambda *_: None)
        assert (verdict.broken, verdict.records, verdict.first_seq, verdict.last_seq) == (
            None,
            2_500,
            1,
            2_500,
        )
        whole = await log.export()
        assert verify_lines(whole, lambda *_: None).head == (await log.verify()).head
        await log.purge(utc_now() - timedelta(hours=50), limit=1000)
        young = await log.export()
        verdict = verify_lines(young, lambda *_: None)
        assert (verdict.broken, verdict.records, verdict.first_seq) == (None, 5, 2_501)
        assert await log.export(since=utc_now()) == []
        assert verify_lines([], lambda *_: None).ok

        def fault(tampered: list[bytes]) -> tuple[str, int]:
            broken = verify_lines(tampered, lambda *_: None).broken
            assert broken is not None
            return broken.fault, broken.seq

        assert fault([*lines[:7], lines[7].replace(b"admin", b"mallory"), *lines[8:]]) == ("altered", 8)
        assert fault([*lines[:7], *lines[8:]]) == ("removed", 8)
        assert fault([*lines[:7], lines[7], *lines[7:]]) == ("inserted", 8)
        assert fault([*lines[:7], lines[8], lines[7], *lines[9:]])[1] == 8
        previous = lines[3].split(b'"previous":"')[1][:64]
        assert fault([*lines[:3], lines[3].replace(previous, bytes(64).hex()[:64].encode())]) == (
            "altered",
            4,
        )
        wrongly_placed = lines[0].replace(b'"seq":1,', b'"seq":"1",')
        unplaced = lines[0].replace(b'"seq"', b'"sequel"')
        for wrong in (b"{}\n", b"[1]\n", b"\xff\n", b"x" * 100, lines[0][:-9], wrongly_placed, unplaced):
            with pytest.raises(Malformed, match="Line 2 is no record"):
                verify_lines([lines[0], wrong], lambda *_: None)
        # A broken chain is not exported as if it were whole.
        execute(database_url, "DELETE FROM audit_logs WHERE chain_seq = 2503")
        with pytest.raises(Conflict, match="2503"):
            await log.export()

    in_log(database_url, story)


def test_the_secret_may_be_changed(database_url: str) -> None:
    async def story() -> None:
        async with audit_log(database_url) as log:
            write(database_url, 3)
            await log.seal_all()
            await log.purge(EARLIER)
        new = "another secret of 24 chars"
        async with audit_log(database_url, new) as log:
            broken = (await log.verify()).broken
            assert broken is not None
            assert broken.fault == "head"
        async with audit_log(database_url, new, (SECRET,)) as log:
            assert (await log.verify()).ok
            column = SealedColumn("audit_chain", "name", "sealed", owner="name", purpose=end_purpose)
            async for _ in SealedValues(log.database, Vault(new, (SECRET,)), [column]).reseal():
                pass
        async with audit_log(database_url, new) as log:
            assert (await log.verify()).ok

    asyncio.run(story())


def test_a_changed_head_stops_sealing_and_leaves_one_dead_job(database_url: str) -> None:
    async def story() -> None:
        async with audit_log(database_url) as log:
            write(database_url, 3)
            await log.seal_all()
            execute(database_url, "UPDATE audit_chain SET seq = 2 WHERE name = 'head'")
            core = a_core(log.database, JobQueue(), vault=Vault(SECRET))
            [kind] = [kind for kind in build(core, AuditSettings()).jobs if kind.name == SEAL]
            async with world(database_url) as w:
                w.queue.know([kind])
                w.kinds = [kind]
                for n in range(3):
                    await w.enqueue(NewJob(SEAL, {"tick": n}))
                    async with w.running(queue=QUEUE):
                        found = await w.until(lambda rows: all(row["status"] == "dead" for row in rows))
                [dead] = found
                assert "head of the audit chain is not what was sealed" in str(dead["last_error"])

    asyncio.run(story())


def test_a_walk_needs_no_more_than_a_record() -> None:
    def records() -> Any:
        before = bytes(32)
        for seq in range(1, 5_001):
            record = {"seq": seq, "id": f"aud_{seq}", "created_at": "2026-01-01T00:00:00.000000Z"}
            before = link(before, record)
            yield Linked(record, before)

    from ogel.features.audit.chain import START

    walk = Walk(START)
    assert walk.take(records()) is None
    assert (walk.count, walk.finish()) == (5_000, None)
