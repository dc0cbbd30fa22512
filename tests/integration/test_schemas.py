"""Ogel's tables in schemas of their own: how they get there, and in which databases of others."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock
from urllib.parse import urlsplit

import psycopg
import pytest

from ogel.adapters import migrations as adapter
from ogel.adapters.embedded.binaries import find_postgres
from ogel.adapters.migrations import migrate, read_migrations, wait_for_schema
from ogel.adapters.postgres import PoolOptions, make_pool, wait_for_postgres
from ogel.features.storage.policy import SEARCH_PATH
from ogel.kernel.errors import ConfigError
from ogel.kernel.ids import new_id
from ogel.platform.platform import Platform
from ogel.runtime.database.schemas import OWN
from ogel.settings import NOWHERE
from tests.support import former
from tests.support.pooler import Pooler
from tests.support.schema import MIGRATIONS

ALL = read_migrations(MIGRATIONS)
PASSWORD = "of-a-test"


def migrated(url: str) -> list[str]:
    return [each.name for each in asyncio.run(migrate(url, ALL))]


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def tables(url: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for schema, name in rows(url, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg_'"):
        if schema != "information_schema":
            found.setdefault(str(schema), set()).add(str(name))
    return found


@dataclass(frozen=True)
class Tenant:
    """A role that is no superuser, and its database, as its own URL and the owner's name them."""

    role: str
    url: str
    owner_url: str

    @property
    def database(self) -> str:
        return urlsplit(self.url).path[1:]


@pytest.fixture
def tenant(empty_database_url: str) -> Iterator[Tenant]:
    """It may make tables in `public` and nothing else, as every role up to PostgreSQL 14."""
    role, owner = new_id("role"), urlsplit(empty_database_url)
    run(
        empty_database_url,
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT ALL ON SCHEMA public TO {role}",
    )
    url = owner._replace(netloc=f"{role}:{PASSWORD}@{owner.netloc.rpartition('@')[2]}").geturl()
    yield Tenant(role, url, empty_database_url)
    run(empty_database_url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_a_new_database_leaves_public_to_its_users(empty_database_url: str) -> None:
    assert len(migrated(empty_database_url)) == len(ALL)
    assert tables(empty_database_url).keys() == {OWN, "auth", "storage"}
    reserved = "SELECT nspname FROM pg_namespace WHERE nspname IN ('auth', 'storage') ORDER BY 1"
    assert rows(empty_database_url, reserved) == [("auth",), ("storage",)]


def test_tables_move_without_being_written_anew(empty_database_url: str) -> None:
    url = empty_database_url
    former.load_database(url)
    files = "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relnamespace = '{}'::regnamespace"
    files += " AND relkind IN ('r', 'i', 'S') AND relname NOT LIKE 'schema_migrations%' ORDER BY 1"
    was = rows(url, files.format("public"))
    counted = rows(url, "SELECT count(*), max(id) FROM public.events")
    with (
        psycopg.connect(url, application_name="ogel worker-webhooks"),
        mock.patch.object(adapter, "log") as log,
    ):
        assert "202611281830_move_tables_to_schema_ogel" in migrated(url)
    assert set(was) <= set(rows(url, files.format(OWN)))
    assert rows(url, f"SELECT count(*), max(id) FROM {OWN}.events") == counted
    assert tables(url).keys() == {OWN, "auth", "storage"}
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert rows(url, functions) == []
    [warned] = log.warning.call_args_list
    assert warned.args == ("migration.others_at_work",) and warned.kwargs["connections"] == 1
    assert migrated(url) == []


def test_the_version_before_does_not_begin_anew_where_its_tables_were(empty_database_url: str) -> None:
    """Started again, by a supervisor or to go back, it would accept what nobody delivers."""
    url = empty_database_url
    former.load_database(url)
    migrated(url)
    with psycopg.connect(url, options="-c search_path=public") as connection:
        # What it does first.
        connection.execute("CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY)")
        applied = dict(connection.execute("SELECT version, checksum FROM schema_migrations").fetchall())
    assert {each.version: each.checksum for each in ALL} == applied
    assert tables(url).keys() == {OWN, "auth", "storage"}


def test_what_others_have_under_the_same_names_stays_theirs(empty_database_url: str) -> None:
    """A log of migrations of another tool, `auth` and `storage` of Supabase's, and tables called as ours."""
    url = empty_database_url
    run(
        url,
        "CREATE SCHEMA auth",
        "CREATE TABLE auth.users (id int)",
        "CREATE SCHEMA storage",
        "CREATE TABLE storage.objects (id int)",
        "CREATE TABLE public.schema_migrations (version varchar PRIMARY KEY)",
        "INSERT INTO public.schema_migrations VALUES ('20240101')",
        "CREATE TABLE public.events (mine int)",
        "CREATE FUNCTION public.listening_keys(globs text[]) RETURNS text[] LANGUAGE sql AS 'SELECT globs'",
    )
    migrated(url)
    theirs = {
        name: names for name, names in tables(url).items() if name not in (OWN, "ogel_auth", "ogel_storage")
    }
    assert theirs == {"auth": {"users"}, "storage": {"objects"}, "public": {"schema_migrations", "events"}}
    assert rows(url, "SELECT version FROM public.schema_migrations") == [("20240101",)]
    assert rows(url, "SELECT obj_description('auth'::regnamespace, 'pg_namespace')") == [(None,)]
    assert "users" in tables(url)["ogel_auth"] and "objects" in tables(url)["ogel_storage"]


def test_tables_are_found_where_the_version_before_was_told_to_make_them(tenant: Tenant) -> None:
    """By a search_path that the role has of its own, or its URL."""
    former.load_database(tenant.owner_url)
    run(
        tenant.owner_url,
        "ALTER SCHEMA public RENAME TO elsewhere",
        "CREATE SCHEMA public",
        "CREATE TABLE public.schema_migrations (version bigint, dirty boolean)",
        f"GRANT CREATE ON DATABASE {tenant.database} TO {tenant.role}",
        f"ALTER ROLE {tenant.role} SET search_path = elsewhere, public",
        f"GRANT ALL ON SCHEMA elsewhere TO {tenant.role}",
    )
    ours = rows(
        tenant.owner_url,
        "SELECT 'TABLE', oid::regclass::text FROM pg_class"
        " WHERE relnamespace = 'elsewhere'::regnamespace AND relkind = 'r' UNION ALL"
        " SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'elsewhere'::regnamespace",
    )
    run(tenant.owner_url, *(f"ALTER {kind} {name} OWNER TO {tenant.role}" for kind, name in ours))
    migrated(tenant.url)
    found = tables(tenant.owner_url)
    assert found.keys() == {OWN, "auth", "storage", "public"} and len(found["public"]) == 1


def test_who_may_not_make_a_schema_is_told_which_grant_it_takes(tenant: Tenant) -> None:
    with pytest.raises(ConfigError, match=f"GRANT CREATE ON DATABASE {tenant.database} TO {tenant.role}"):
        migrated(tenant.url)
    run(tenant.owner_url, f"CREATE SCHEMA {OWN} AUTHORIZATION {tenant.role}")
    assert len(migrated(tenant.url)) == len(ALL)
    assert tables(tenant.owner_url).keys() == {OWN}
    # Whoever acts under policies finds ours there, and not what others call the same.
    others = ("CREATE SCHEMA storage", "CREATE TABLE storage.objects ()", "CREATE TABLE public.buckets ()")
    run(tenant.owner_url, *others, "GRANT USAGE ON SCHEMA storage TO PUBLIC")
    with psycopg.connect(tenant.url, options=f"-c search_path={SEARCH_PATH}") as connection:
        schema = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass"
        for table in ("objects", "buckets"):
            assert connection.execute(schema, (table,)).fetchone() == (OWN,)


def test_roles_that_were_granted_tables_still_get_at_them(tenant: Tenant) -> None:
    """One role migrates, and another is at work: a common way to have it."""
    former.load_database(tenant.owner_url)
    run(tenant.owner_url, f"GRANT SELECT ON public.schema_migrations, public.events TO {tenant.role}")
    migrated(tenant.owner_url)
    assert rows(tenant.url, f"SELECT count(*) FROM {OWN}.events") == [(6,)]
    asyncio.run(wait_for_schema(tenant.url, ALL, seconds=0))
    run(tenant.owner_url, f"REVOKE USAGE ON SCHEMA {OWN} FROM {tenant.role}")
    with pytest.raises(ConfigError, match=f"GRANT USAGE ON SCHEMA {OWN} TO {tenant.role}"):
        asyncio.run(wait_for_schema(tenant.url, ALL, seconds=0))


def test_a_table_that_somebody_holds_is_waited_for_and_nothing_is_moved_by_half(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_LOCKS_PAUSE_SECONDS", 0.1)
    url = empty_database_url
    former.load_database(url)
    held = psycopg.connect(url)
    held.execute("LOCK TABLE public.webhook_secrets IN ACCESS SHARE MODE")
    with mock.patch.object(adapter, "LOCKS_SECONDS", 0.0), pytest.raises(ConfigError, match="end what holds"):
        migrated(url)
    assert len(tables(url)["public"]) == 39 and OWN not in tables(url)

    async def story() -> None:
        moving = asyncio.create_task(migrate(url, ALL))
        with mock.patch.object(adapter.log, "info", side_effect=lambda event, **_: event) as said:
            while "migration.waits_for_locks" not in {call.args[0] for call in said.call_args_list}:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(held.close)
        await moving

    asyncio.run(asyncio.wait_for(story(), 30))
    assert tables(url).keys() == {OWN, "auth", "storage"}


def test_a_restore_does_not_fill_what_is_not_moved_yet(empty_database_url: str) -> None:
    former.load_database(empty_database_url)
    with pytest.raises(ConfigError, match="public has the tables of the version before"):
        asyncio.run(migrate(empty_database_url, ALL[:25]))


def test_what_pg_dump_took_is_the_same_suite(database_url: str, empty_database_url: str) -> None:
    """All of the database, as anybody may move one; it comes without a search_path."""
    run(
        database_url,
        f"INSERT INTO {OWN}.webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds)"
        " VALUES ('wh_1', 'http://127.0.0.1:1/', '{order.*}', '{order.%}', 1, 1)",
        "CREATE TABLE public.theirs AS SELECT 1 AS one",
    )
    command = [str(find_postgres(None) / "pg_dump"), "--inserts", "--no-owner", f"--dbname={database_url}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    run(empty_database_url, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("\\")))
    assert migrated(empty_database_url) == []
    assert tables(empty_database_url) == tables(database_url)
    heard = (
        f"SET search_path = {OWN}; SELECT webhook_id FROM webhook_listeners('{{order.made}}', '{{^order.}}')"
    )
    with psycopg.connect(empty_database_url) as connection:
        cursor = connection.execute(heard.encode())
        assert cursor.nextset() and cursor.fetchall() == [("wh_1",)]


def test_the_search_path_is_ours_whatever_the_database_says(tenant: Tenant) -> None:
    run(
        tenant.owner_url,
        f"GRANT CREATE ON DATABASE {tenant.database} TO {tenant.role}",
        f"ALTER DATABASE {tenant.database} SET search_path = nowhere",
        "CREATE TABLE public.not_ours (n int)",
    )
    migrated(tenant.url)

    async def found() -> tuple[object, ...] | None:
        async with (
            make_pool(tenant.url, PoolOptions(1, 1, 30, 5, 10)) as pool,
            pool.connection() as connection,
        ):
            query = "SELECT current_schemas(false)::text, (SELECT count(*) FROM api_keys), to_regclass('not_ours')"
            row: tuple[object, ...] | None = await (await connection.execute(query)).fetchone()
            return row

    assert asyncio.run(found()) == ("{ogel,auth,storage}", 0, None)


def test_a_pooler_that_drops_the_search_path_is_named_at_the_start(tenant: Tenant) -> None:
    run(tenant.owner_url, f"GRANT CREATE ON DATABASE {tenant.database} TO {tenant.role}")
    migrated(tenant.url)
    there = urlsplit(tenant.url)
    with Pooler(there.port or 5432) as pooler:
        url = there._replace(netloc=there.netloc.replace(f":{there.port}", f":{pooler.port}")).geturl()
        with pytest.raises(ConfigError, match=r"pooler .* DATABASE_UNPOOLED_URL .* ALTER ROLE"):
            asyncio.run(wait_for_postgres(url, seconds=5))
        run(tenant.owner_url, f"ALTER ROLE {tenant.role} SET search_path = {OWN}, public")
        asyncio.run(wait_for_postgres(url, seconds=5))
        assert migrated(url) == []


def test_what_waits_in_the_queue_that_made_backups_waits_under_its_new_name(empty_database_url: str) -> None:
    url = empty_database_url
    former.load_database(url)
    run(
        url,
        "INSERT INTO public.job_queue (id, queue_name, kind, payload, max_attempts) VALUES"
        " ('job_waits', 'migrations', 'backups.begin', '{}', 5)",
        "INSERT INTO public.paused_queues (name) VALUES ('migrations')",
    )
    migrated(url)
    assert rows(url, "SELECT queue_name FROM ogel.job_queue WHERE id = 'job_waits'") == [("backups",)]
    assert rows(url, "SELECT name FROM ogel.paused_queues") == [("backups",)]
    kinds = {
        kind.name: kind.queue
        for each in Platform(NOWHERE).features.with_queue("backups")
        for kind in each.jobs
    }
    assert kinds["backups.begin"] == "backups"
