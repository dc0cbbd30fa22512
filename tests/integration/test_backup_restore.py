"""Restoring: what is refused, in one line and with nothing changed, and what rows and sequences are like after it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql

from ogel.adapters.migrations import MIGRATIONS, migrate, read_migrations
from ogel.adapters.storage.local import LocalObjects
from ogel.features.backups.backup import NewBackup
from ogel.features.backups.feature import BackupFeature
from ogel.features.backups.manifest import BackupLocation, Manifest, Unusable, read_manifest, write_manifest
from ogel.features.backups.restore import Report
from ogel.kernel.errors import Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.operators import restoring
from ogel.runtime.database.database import DatabaseAway
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.secrets.vault import Vault
from ogel.settings import Settings

SECRET, OTHER = "restore-secret-0123456789", "another-secret-0123456789"
CALLER = Caller(SYSTEM, "req_test")
# What COPY's text format has words of its own for.
ODD = ["\\N", "\\.", "a\tb", "a\nb\r\n", "ä€𝄞", "\x7f", "\\", "'\"", ""]
ROWS = """
INSERT INTO events (id, type, subject, data, created_at) VALUES
  ('odd', 'odd.one', %(odd)s, to_json(%(odd)s::text), '2020-02-29T12:00:00.123456+00');
INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds, version) VALUES
  ('wh_1', 'http://127.0.0.1:1/', %(odds)s, '{}', 64, 5, 7);
INSERT INTO webhook_health (webhook_id, failures, failures_in_row, last_error, opened_at)
VALUES ('wh_1', 12, 12, 'no', now());
INSERT INTO webhook_secrets (id, webhook_id, signing, sealed) VALUES ('sec_1', 'wh_1', 'v1', '\\x00ff0a5c');
INSERT INTO webhook_deliveries (id, event_id, webhook_id) VALUES ('dlv_1', 'odd', 'wh_1');
INSERT INTO job_keys (key, held, probe_at, probe_seconds, spent_until) VALUES ('wh_1', true, now(), 5, now());
INSERT INTO job_queue
  (id, queue_name, kind, payload, max_attempts, status, attempts, lease_id, leased_until, claimed_at)
VALUES ('job_running', 'webhooks', 'webhooks.deliver', '{"a": "\\\\n"}', 8, 'running', 3, 'lease_1', now(), now()),
       ('job_dead', 'webhooks', 'webhooks.deliver', '{}', 8, 'dead', 8, NULL, NULL, NULL),
       ('job_pending', 'webhooks', 'webhooks.deliver', '{}', 8, 'pending', 0, NULL, NULL, NULL);
INSERT INTO storage.buckets (id, name) VALUES ('b', 'b');
INSERT INTO storage_quotas (subject, max_bytes) VALUES ('bucket:b', 1000);
INSERT INTO storage_blobs (key, state, until, bucket_id, size) VALUES
  ('blobs/live', 'live', now(), 'b', 10), ('blobs/pending', 'pending', now(), 'b', 100),
  ('blobs/gone', 'deleting', now(), 'b', 7);
INSERT INTO storage_uploads (id, protocol, bucket_id, name, version, expires_at)
VALUES (gen_random_uuid(), 'tus', 'b', 'half', 'v', now());
INSERT INTO events (id, type, data) SELECT 'many-' || n, 'many.ones', to_json(n) FROM generate_series(1, 5000) AS n;
"""


def settings(url: str, data_dir: Path, secret: str = SECRET, former: tuple[str, ...] = ()) -> Settings:
    return Settings(database_url=url, data_dir=data_dir, secret=secret, former_secrets=former)


async def back_up(url: str, data_dir: Path) -> str:
    async with restoring(settings(url, data_dir)) as (backups, _):
        backup = await backups.service.create(CALLER, NewBackup(note="made by a test"))
        await perform(backups, backup.id)
        assert (await backups.service.get(backup.id)).status == "complete"
        return backup.id


async def perform(backups: BackupFeature, id: str) -> Outcome | None:
    return await backups._create.perform(_job("backups.create", id), None)


def _job(kind: str, id: str) -> Job:
    now = datetime.now(UTC)
    return Job("job_x", kind, {"backup": id}, 0, "", "", 1, 8, "lease_x", now, now, None)


def restore(url: str, data_dir: Path, id: str, secret: str = SECRET, former: tuple[str, ...] = ()) -> Report:
    async def run() -> Report:
        async with restoring(settings(url, data_dir, secret, former)) as (backups, restore):
            return await restore.run(CALLER, backups.place(id), lambda done: None)

    return asyncio.run(run())


@dataclass(frozen=True)
class Made:
    """A database, and its backup in chunks of few rows."""

    url: str
    data_dir: Path
    id: str

    def copy(self, directory: Path) -> Made:
        """To be damaged."""
        shutil.copytree(self.data_dir, directory / "data")
        return Made(self.url, directory / "data", self.id)

    @property
    def folder(self) -> Path:
        return self.data_dir / "storage" / "backups" / self.id

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    def chunk(self, number: int) -> Path:
        [path] = self.folder.glob(f"run_*/events.{number:06}")
        return path

    def change(self, change: Callable[[Manifest], Manifest]) -> None:
        """As somebody who has the secret."""

        async def run() -> None:
            place = BackupLocation(LocalObjects(self.folder), "")
            manifest = await read_manifest(place, Vault(SECRET))
            await write_manifest(place, Vault(SECRET), change(manifest))

        asyncio.run(run())


@pytest.fixture(scope="module")
def made(servers: Any, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    name = new_id("made")
    url = urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(_template)))
        with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as mine:  # many statements at once
            mine.execute(ROWS.encode(), {"odd": "|".join(ODD), "odds": ODD})
        data_dir = tmp_path_factory.mktemp("made")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ogel.features.backups.dump.CHUNK_BYTES", 50_000)
            id = asyncio.run(back_up(url, data_dir))
        yield Made(url, data_dir, id)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_rows_are_the_same_to_the_byte(made: Made, empty_database_url: str) -> None:
    report = restore(empty_database_url, made.data_dir, made.id)
    assert len(list(made.folder.glob("run_*/events.*"))) > 3
    for table in ("events", "webhook_endpoints", "webhook_secrets", "webhook_deliveries", "api_keys"):
        query = f"SELECT t::text FROM {table} AS t WHERE t::text NOT LIKE '%backup.completed%' ORDER BY 1"
        assert rows(empty_database_url, query) == rows(made.url, query), table
    assert report.rows > 5000 and report.not_ours == [] and report.migrated == []
    # A trigger would have counted its version up.
    assert rows(empty_database_url, "SELECT version FROM webhook_endpoints") == [(7,)]
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE webhook_endpoints SET url = url")
    assert rows(empty_database_url, "SELECT version FROM webhook_endpoints") == [(8,)]


def test_what_was_under_way_begins_again(made: Made, empty_database_url: str) -> None:
    restore(empty_database_url, made.data_dir, made.id)
    query = "SELECT id, status, attempts, lease_id, leased_until, cardinality(lost_claims) FROM job_queue ORDER BY seq"
    assert rows(empty_database_url, query)[:3] == [
        ("job_running", "pending", 2, None, None, 1),
        ("job_dead", "dead", 8, None, None, None),
        ("job_pending", "pending", 0, None, None, None),
    ]
    query = "SELECT held, probe_at, probe_seconds, spent_until FROM job_keys"
    assert rows(empty_database_url, query) == [(True, None, None, None)]
    assert rows(empty_database_url, "SELECT * FROM webhook_health") == []
    # A new job comes after the old ones.
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts) VALUES ('new', 'q', 'k', '{}', 1)"
        )
    assert rows(empty_database_url, "SELECT id FROM job_queue ORDER BY seq DESC LIMIT 1") == [("new",)]


def test_what_is_no_object_yet_or_no_more_is_not_deleted_for_others(
    made: Made, empty_database_url: str
) -> None:
    """The suite that was backed up may go on with the same store: what is under way here is an object of its by now."""
    restore(empty_database_url, made.data_dir, made.id)
    assert rows(empty_database_url, "SELECT key FROM storage_blobs") == [("blobs/live",)]
    quota = "SELECT used_bytes, reserved_bytes FROM storage_quotas"
    assert rows(empty_database_url, quota) == [(10, 0)]
    assert rows(empty_database_url, "SELECT * FROM storage_uploads") == []


def refused(made: Made, url: str, words: str, **more: Any) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        restore(url, made.data_dir, made.id, **more)
    assert "\n" not in caught.value.message
    assert nothing_in(url)


def nothing_in(url: str) -> bool:
    """But what migrations write."""
    tables = rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'ogel'")
    written = ("schema_migrations", "schedule_changes")
    return all(rows(url, f"SELECT FROM {name} LIMIT 1") == [] for (name,) in tables if name not in written)


def test_what_is_damaged_is_refused(made: Made, empty_database_url: str, tmp_path: Path) -> None:
    """One database for all: each refusal leaves it as empty as it was."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1])

    def swap(bad: Made) -> None:
        first, second = bad.chunk(0).read_bytes(), bad.chunk(1).read_bytes()
        bad.chunk(0).write_bytes(second)
        bad.chunk(1).write_bytes(first)

    def edit(bad: Made) -> None:
        text = bad.manifest.read_text()
        assert "made by a test" in text
        bad.manifest.write_text(text.replace("made by a test", "made by a t3st"))

    damages: list[tuple[Callable[[Made], object], str]] = [
        (lambda bad: flip(bad.chunk(1)), r"events\.000001 is damaged: it does not have the SHA-256"),
        (lambda bad: cut(bad.chunk(1)), r"events\.000001 has \d+ bytes, and the manifest says \d+"),
        (lambda bad: bad.chunk(2).unlink(), r"events\.000002 is missing"),
        (swap, r"events\.00000. (has \d+ bytes|is damaged)"),
        (
            lambda bad: bad.manifest.unlink(),
            r"There is no .*manifest\.json: no backup, or one that was never completed",
        ),
        (lambda bad: cut(bad.manifest), r"manifest\.json is damaged"),
        (lambda bad: bad.manifest.write_bytes(b"\xff\xfe"), r"manifest\.json is damaged"),
        (lambda bad: bad.manifest.write_text('{"manifest": {}, "seal": ""}'), r"manifest\.json is damaged"),
        (edit, r"manifest\.json was changed since it was written"),
    ]
    for number, (damage, words) in enumerate(damages):
        bad = made.copy(tmp_path / str(number))
        damage(bad)
        refused(bad, empty_database_url, words)
    assert restore(empty_database_url, made.data_dir, made.id).rows > 5000


def test_what_the_manifest_says_is_checked(made: Made, empty_database_url: str, tmp_path: Path) -> None:
    """Even of one who could seal it."""

    def table(manifest: Manifest, **changes: Any) -> Manifest:
        tables = [replace(each, **changes) if each.name == "events" else each for each in manifest.tables]
        return replace(manifest, tables=tables)

    def newer_format(manifest: Manifest) -> Manifest:
        return replace(manifest, format=2)

    def newer_schema(manifest: Manifest) -> Manifest:
        last = manifest.migrations[-1]
        return replace(
            manifest, migrations=[*manifest.migrations, replace(last, version=9999, name="9999_later")]
        )

    def other_schema(manifest: Manifest) -> Manifest:
        return replace(
            manifest, migrations=[*manifest.migrations[:-1], replace(manifest.migrations[-1], checksum="0")]
        )

    for number, (change, words) in enumerate(
        [
            (newer_format, "has format 2, and this Ogel knows 1 at most: use a newer one"),
            (newer_schema, r"the schema of a newer Ogel \(.*, 9999_later\): restore it with that one"),
            (other_schema, "is not the migration of that number here"),
            (lambda manifest: table(manifest, rows=1), r"events has \d+ rows, and the backup says 1"),
        ]
    ):
        bad = made.copy(tmp_path / str(number))
        bad.change(change)
        refused(bad, empty_database_url, words)


def test_a_chunk_opens_in_its_own_place_only(made: Made, empty_database_url: str, tmp_path: Path) -> None:
    """Two that change places, each with its length and digest: what the vault bound them to tells."""
    bad = made.copy(tmp_path)

    def swapped(manifest: Manifest) -> Manifest:
        [events] = [each for each in manifest.tables if each.name == "events"]
        first, second, *rest = events.chunks
        chunks = [replace(second, key=first.key), replace(first, key=second.key), *rest]
        tables = [replace(each, chunks=chunks) if each is events else each for each in manifest.tables]
        return replace(manifest, tables=tables)

    bad.change(swapped)
    one, other = bad.chunk(0).read_bytes(), bad.chunk(1).read_bytes()
    bad.chunk(0).write_bytes(other)
    bad.chunk(1).write_bytes(one)
    refused(bad, empty_database_url, r"events\.000000 cannot be opened")


def test_another_secret_is_refused_before_anything_else(made: Made, empty_database_url: str) -> None:
    key_id = Vault(SECRET).key_ids[0].hex()
    refused(
        made, empty_database_url, f"sealed under the key {key_id}, and OGEL_SECRET makes .*", secret=OTHER
    )
    assert rows(empty_database_url, "SELECT FROM pg_tables WHERE schemaname = 'ogel'") == []
    # As a former one it will do.
    restore(empty_database_url, made.data_dir, made.id, secret=OTHER, former=(SECRET,))


def test_a_database_with_rows_is_refused_and_stays(made: Made, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO schedules (name) VALUES ('mine')")
    with pytest.raises(Unusable, match=r"not empty \(schedules has rows\), and a restore overwrites nothing"):
        restore(database_url, made.data_dir, made.id)
    assert rows(database_url, "SELECT name FROM schedules") == [("mine",)]
    assert rows(database_url, "SELECT FROM events") == []


def test_a_schema_that_is_older_is_brought_up_to_date(
    made: Made, empty_database_url: str, database_url: str, tmp_path: Path
) -> None:
    """The backup's version first, then the rows, then the rest; a target that is ahead of the backup is refused."""
    old = made.copy(tmp_path)
    before = len(read_migrations(MIGRATIONS)) - 1

    def of_the_version_before(manifest: Manifest) -> Manifest:
        migrations = manifest.migrations[:before]
        left = [each for each in manifest.tables if each.name in ("events", "job_queue")]
        return replace(manifest, migrations=migrations, tables=left)

    old.change(of_the_version_before)
    report = restore(empty_database_url, old.data_dir, old.id)
    assert report.migrated == [report.schema] == [read_migrations(MIGRATIONS)[-1].name]
    assert rows(empty_database_url, "SELECT count(*) FROM events WHERE type = 'many.ones'") == [(5000,)]
    assert rows(empty_database_url, "SELECT status FROM job_queue WHERE id = 'job_running'") == [("pending",)]
    assert rows(empty_database_url, "SELECT action FROM audit_logs") == [("backup.restore",)]
    with pytest.raises(
        Unusable, match=r"is newer than the backup's \(.*\): give it a database without tables"
    ):
        restore(database_url, old.data_dir, old.id)


def test_tables_of_others_stay_in_the_backup(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 1 AS one")
        connection.execute('CREATE TABLE "Their ../stuff" AS SELECT 1 AS "a b"')
    id = asyncio.run(back_up(database_url, tmp_path))
    report = restore(empty_database_url, tmp_path, id)
    assert report.not_ours == ["Their ../stuff", "theirs"]


def test_schemas_that_are_reserved_are_backed_up_and_those_of_others_are_not(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """Two tables of one name; `storage` belongs to somebody else here, and so does `public`."""
    make = "CREATE TABLE auth.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)"
    with psycopg.connect(database_url) as connection:
        connection.execute(make)
        connection.execute("INSERT INTO auth.events (name) VALUES ('first'), ('second')")
        connection.execute("DROP SCHEMA storage CASCADE")
        connection.execute("CREATE SCHEMA storage")
        connection.execute("CREATE TABLE storage.theirs AS SELECT 1 AS one")
        connection.execute("CREATE TABLE public.users AS SELECT 1 AS one")
    id = asyncio.run(back_up(database_url, tmp_path))
    asyncio.run(migrate(empty_database_url, read_migrations(MIGRATIONS)))
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(make)
        connection.execute("CREATE TABLE public.mine AS SELECT 1 AS one")  # is no reason to refuse
    assert restore(empty_database_url, tmp_path, id).not_ours == []
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO auth.events (name) VALUES ('third')")
    assert rows(empty_database_url, "SELECT id, name FROM auth.events ORDER BY id")[1:] == [
        (2, "second"),
        (3, "third"),
    ]


def test_a_schema_change_waits_for_nobody_long(database_url: str, tmp_path: Path) -> None:
    """One that is under way when a dump begins makes it try again, rather than copy half of it."""
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE events ADD COLUMN more int")
        with pytest.raises(DatabaseAway):
            asyncio.run(back_up(database_url, tmp_path))
        assert list((tmp_path / "storage").rglob("events.*")) == []


def test_a_manifest_that_nobody_could_tell_of_is_taken_up(database_url: str, tmp_path: Path) -> None:
    """The worker died, or lost its database, between the two."""

    async def run() -> None:
        async with restoring(settings(database_url, tmp_path)) as (backups, _):
            id = (await backups.service.create(CALLER, NewBackup())).id
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(backups._create, "_say_completed", _fail)
                with pytest.raises(LookupError):
                    await perform(backups, id)
            assert (await backups.service.get(id)).status == "running"
            folder = tmp_path / "storage" / "backups" / id
            before = sorted(folder.rglob("*"))
            assert folder / "manifest.json" in before
            await perform(backups, id)
            assert (await backups.service.get(id)).status == "complete"
            assert sorted(folder.rglob("*")) == before

    asyncio.run(run())


def test_a_store_that_is_away_for_a_moment_costs_no_snapshot(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that stays away costs an attempt, after which nothing is there that could be taken for a backup."""
    monkeypatch.setattr("ogel.features.backups.dump.PAUSES", (0.01, 0.01, 0.01))
    put, refusals = LocalObjects.put, iter([True, True, True])

    async def refusing(self: LocalObjects, *arguments: Any) -> Any:
        if next(refusals, False):
            raise Unavailable("the store is away")
        return await put(self, *arguments)

    async def run() -> None:
        nonlocal refusals
        async with restoring(settings(database_url, tmp_path)) as (backups, _):
            monkeypatch.setattr(LocalObjects, "put", refusing)
            first = (await backups.service.create(CALLER, NewBackup())).id
            assert await perform(backups, first) is None
            assert (await backups.service.get(first)).status == "complete"
            assert next(refusals, None) is None
            refusals = repeat(True)
            second = (await backups.service.create(CALLER, NewBackup())).id
            assert await perform(backups, second) == Outcome("retry", "the store is away")
            assert (await backups.service.get(second)).status == "running"
            assert not list((tmp_path / "storage" / "backups").glob(f"{second}/*"))
            refusals = iter([])
            assert await perform(backups, second) is None
            assert (await backups.service.get(second)).status == "complete"

    asyncio.run(run())


async def _fail(*_: Any) -> None:
    raise LookupError("gone")


def test_a_run_that_is_overtaken_says_nothing_more(database_url: str, tmp_path: Path) -> None:
    """A worker that comes back from a long sleep, when another has begun anew: one of them makes the backup."""

    async def run() -> None:
        async with restoring(settings(database_url, tmp_path)) as (backups, _):
            id = (await backups.service.create(CALLER, NewBackup())).id
            complete, asleep, awake = backups._create._complete, asyncio.Event(), asyncio.Event()

            async def sleepy(place: BackupLocation, manifest: Manifest) -> None:
                asleep.set()
                await awake.wait()
                await complete(place, manifest)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(backups._create, "_complete", sleepy)
                slow = asyncio.create_task(perform(backups, id))
                await asyncio.wait_for(asleep.wait(), 10)
            await perform(backups, id)
            done = await backups.service.get(id)
            awake.set()
            await asyncio.wait_for(slow, 10)
            assert await backups.service.get(id) == done
            folder = tmp_path / "storage" / "backups" / id
            assert len(list(folder.iterdir())) == 2
            manifest = await read_manifest(BackupLocation(LocalObjects(folder), ""), Vault(SECRET))
            assert (folder / manifest.run).is_dir()

    asyncio.run(run())


def delete_while_it_writes(
    patch: pytest.MonkeyPatch, backups: BackupFeature, id: str, *, break_off: bool
) -> Sequence[str]:
    """
    With its second object the backup is deleted, and what it had written is removed; with the third it may break off.
    Returns what gets the keys that are written.
    """
    put, keys = LocalObjects.put, list[str]()

    async def deleting(self: LocalObjects, key: str, content: AsyncIterable[bytes]) -> Any:
        keys.append(key)
        if len(keys) == 2:
            await backups.service.delete(CALLER, id)
            await backups._remove.perform(_job("backups.remove", id), None)
        if len(keys) == 3 and break_off:
            raise LookupError("gone")
        return await put(self, key, content)

    patch.setattr(LocalObjects, "put", deleting)
    return keys


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_backup_deleted_while_it_is_made_leaves_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    """Its removal was quick, and the run goes on writing: to its end, or until something breaks it off."""

    async def run() -> None:
        async with restoring(settings(database_url, tmp_path)) as (backups, _):
            id = (await backups.service.create(CALLER, NewBackup())).id
            written = delete_while_it_writes(monkeypatch, backups, id, break_off=interrupted)
            if interrupted:
                with pytest.raises(LookupError):
                    await perform(backups, id)
                assert files(tmp_path / "storage")
            assert await perform(backups, id) is None
            assert len(written) > 2
            assert files(tmp_path / "storage") == []

    asyncio.run(run())


@pytest.mark.parametrize("ending", ["dead", "cancelled"])
def test_what_a_deleted_backup_wrote_after_its_removal_is_removed_when_its_job_ends(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Also when no attempt is left that could see that it is deleted."""

    async def run() -> None:
        async with restoring(settings(database_url, tmp_path)) as (backups, _):
            id = (await backups.service.create(CALLER, NewBackup())).id
            create, remove = backups._create, backups._remove
            delete_while_it_writes(monkeypatch, backups, id, break_off=True)
            with pytest.raises(LookupError):
                await perform(backups, id)
            assert files(tmp_path / "storage")
            with psycopg.connect(database_url) as connection:
                connection.execute("DELETE FROM job_queue")
            async with create._database.transaction() as tx:
                if ending == "dead":
                    outcome = Outcome("dead", "gone")
                    await create.record(tx, [Finished(_job("backups.create", id), outcome, None)])
                else:
                    await create.discarded(tx, [{"backup": id}])
            with psycopg.connect(database_url) as connection:
                jobs = connection.execute("SELECT kind, payload FROM job_queue").fetchall()
            assert jobs == [("backups.remove", {"backup": id})]
            assert await remove.perform(_job("backups.remove", id), None) is None
            assert files(tmp_path / "storage") == []

    asyncio.run(run())


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
