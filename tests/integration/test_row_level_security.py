"""Row-level security as for Supabase: what each principal reads, and that no connection remembers whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from ogel.adapters.migrations import migrate, read_migrations
from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.kernel.errors import Forbidden, Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import ANON, ANONYMOUS, AUTHENTICATED, SERVICE, SYSTEM, Principal
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.database.schemas import SEARCH_PATH
from tests.support.schema import MIGRATIONS

ANNA, BEN = (UUID(int=number) for number in (1, 2))
# As Supabase's own guides have them.
TABLE = """
CREATE TABLE public.notes (id int PRIMARY KEY, user_id uuid, team text, body text DEFAULT '');
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
GRANT ALL ON public.notes TO anon, authenticated, service_role;
CREATE POLICY "open" ON public.notes FOR SELECT TO anon USING (user_id IS NULL AND team IS NULL);
CREATE POLICY "own" ON public.notes TO authenticated
  USING ((SELECT auth.uid()) = user_id) WITH CHECK ((SELECT auth.uid()) = user_id);
CREATE POLICY "team's" ON public.notes FOR SELECT TO authenticated
  USING ((SELECT auth.jwt()) -> 'roles' ? ('team:' || team));
CREATE POLICY "with two factors" ON public.notes AS RESTRICTIVE FOR DELETE TO authenticated
  USING ((SELECT auth.jwt() ->> 'aal') = 'aal2');
INSERT INTO public.notes (id, user_id, team) VALUES
  (1, NULL, NULL), (2, '00000000-0000-0000-0000-000000000001', NULL), (3, '00000000-0000-0000-0000-000000000002', NULL),
  (4, NULL, 'blue');
"""
IDS = b"SELECT id FROM notes ORDER BY id"
WHO = b"""
SELECT current_user = session_user, coalesce(current_setting('request.jwt.claims', true), ''),
       current_setting('search_path')
"""


def user(id: UUID, *roles: str, aal: str = "aal1", role: str = AUTHENTICATED) -> Principal:
    claims = {
        "sub": str(id),
        "role": role,
        "email": f"{id.int}@example.com",
        "aal": aal,
        "roles": list(roles),
    }
    return Principal("user", str(id), role=role, claims=claims)


PUBLISHABLE = Principal("key", "key_p", role=ANON)
SECRET = Principal(
    "key", "key_s", frozenset({"accounts:write"}), role=SERVICE, claims={"networks": ("::/0",)}
)
LESSER = Principal("key", "key_l", frozenset({"events:read"}))


@asynccontextmanager
async def opened(url: str, most: int = 1) -> AsyncIterator[Database]:
    pool = make_pool(url, PoolOptions(1, most, 30, 2, 10))
    await pool.open()
    try:
        yield Database(pool, lambda _: None)
    finally:
        await pool.close()


def told(url: str, story: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened(url) as database:
            await story(database)

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.fixture
def url(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLE.encode())
    return database_url


async def ids(database: Database, principal: Principal) -> list[int]:
    async with database.transaction() as tx, tx.acting_as(principal):
        return [id for (id,) in await tx.tuples(IDS)]


async def assert_clean(database: Database) -> None:
    """The only connection there is, lent once more, is Ogel's own."""
    async with database.autocommit() as tx:
        assert await tx.tuples(WHO) == [(True, "", SEARCH_PATH)]


def test_everybody_reads_what_the_policies_allow_them(url: str) -> None:
    async def story(database: Database) -> None:
        for principal, expected in (
            (ANONYMOUS, [1]),
            (PUBLISHABLE, [1]),
            (user(ANNA), [2]),
            (user(BEN, "team:blue", "team:blue/owner"), [3, 4]),
            (user(ANNA, "team:bluer"), [2]),
            (SECRET, [1, 2, 3, 4]),
            (SYSTEM, [1, 2, 3, 4]),
            (Principal("admin", "admin", frozenset("*"), role=SERVICE), [1, 2, 3, 4]),
        ):
            assert await ids(database, principal) == expected, principal
            await assert_clean(database)

    told(url, story)


def test_everybody_writes_only_what_the_policies_allow_them(url: str) -> None:
    add = b"INSERT INTO notes (id, user_id) VALUES (%(id)s, %(user)s)"

    async def story(database: Database) -> None:
        async with database.transaction() as tx, tx.acting_as(user(ANNA)):
            await tx.execute(add, {"id": 10, "user": ANNA})
            assert await tx.execute(b"UPDATE notes SET body = 'hers' WHERE id IN (1, 3, 4)") == 0
            assert await tx.execute(b"DELETE FROM notes WHERE id = 10") == 0
        async with database.transaction() as tx, tx.acting_as(user(ANNA, aal="aal2")):
            assert await tx.execute(b"DELETE FROM notes WHERE id = 10") == 1
        for principal in (user(BEN), ANONYMOUS, PUBLISHABLE):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with database.transaction() as tx, tx.acting_as(principal):
                    await tx.execute(add, {"id": 11, "user": ANNA})
            await assert_clean(database)

    told(url, story)


def test_functions_say_who_asks(url: str) -> None:
    asked = b"SELECT auth.uid(), auth.role(), auth.email(), auth.jwt() ->> 'aal'"

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            assert await tx.tuples(asked) == [(None, None, None, None)]
            async with tx.acting_as(user(ANNA)):
                assert await tx.tuples(asked) == [(ANNA, AUTHENTICATED, "1@example.com", "aal1")]
            for principal, role in ((ANONYMOUS, ANON), (PUBLISHABLE, ANON), (SECRET, SERVICE)):
                async with tx.acting_as(principal):
                    assert await tx.tuples(asked) == [(None, role, None, None)]
                    assert await tx.value(b"SELECT auth.jwt()::text") == json.dumps({"role": role})
            assert await tx.tuples(asked) == [(None, None, None, None)]

    told(url, story)


def test_nobody_reads_what_is_ogels(url: str) -> None:
    async def story(database: Database) -> None:
        for principal in (ANONYMOUS, user(ANNA), SECRET):
            for table in ("ogel.api_keys", "auth.users", "auth.signing_keys"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with database.transaction() as tx, tx.acting_as(principal):
                        await tx.value(f"SELECT count(*) FROM {table}".encode())
            await assert_clean(database)

    told(url, story)


def test_one_transaction_goes_on_as_ogel_afterwards(url: str) -> None:
    """So that a change of a user's rows and the event of it are committed together."""

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            async with tx.acting_as(user(ANNA)):
                await tx.execute(b"UPDATE notes SET body = 'hers'")
            assert await tx.tuples(WHO) == [(True, "", SEARCH_PATH)]
            assert await tx.value(b"SELECT count(*) FROM api_keys") == 0
            with pytest.raises(ZeroDivisionError):
                async with tx.acting_as(user(BEN)):
                    raise ZeroDivisionError
            assert await tx.value(b"SELECT count(*) FROM api_keys") == 0
        async with database.autocommit() as tx:
            assert await tx.tuples(b"SELECT id FROM public.notes WHERE body = 'hers'") == [(2,)]

    told(url, story)


def test_it_takes_a_transaction_and_one_principal_at_a_time(url: str) -> None:
    """Otherwise statements would run as Ogel itself."""

    async def story(database: Database) -> None:
        async with database.autocommit() as tx:
            with pytest.raises(RuntimeError):
                async with tx.acting_as(user(ANNA)):
                    raise AssertionError
        async with database.transaction() as tx, tx.acting_as(user(ANNA)):
            with pytest.raises(RuntimeError):
                async with tx.acting_as(user(BEN)):
                    raise AssertionError
            assert [id for (id,) in await tx.tuples(IDS)] == [2]
        await assert_clean(database)

    told(url, story)


def test_no_role_is_taken_that_could_do_more_than_ogel_allows(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        mine, (login, member) = connection.info.user, (new_id("role"), new_id("role"))
        connection.execute(f"CREATE ROLE {login} LOGIN".encode())
        connection.execute(f"CREATE ROLE {member} NOLOGIN IN ROLE {mine}".encode())

    async def story(database: Database) -> None:
        with pytest.raises(Forbidden, match="accounts:write"):
            await ids(database, LESSER)
        for role in ("", "none", mine, login, member, "postgres", "pg_read_all_data; --", "nobody's", "ANON"):
            with pytest.raises(Unavailable, match="doctor"):
                await ids(database, user(ANNA, role=role))
            await assert_clean(database)

    try:
        told(url, story)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {login}, {member}".encode())


def test_no_connection_remembers_whom_it_acted_for(url: str) -> None:
    async def story(database: Database) -> None:
        async def cancelled() -> None:
            async with database.transaction() as tx, tx.acting_as(user(ANNA)):
                await tx.execute(b"SELECT pg_sleep(20)")

        sleeping = asyncio.create_task(cancelled())
        await asyncio.sleep(0.3)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        await assert_clean(database)

        with pytest.raises(psycopg.errors.DivisionByZero):
            async with database.transaction() as tx, tx.acting_as(user(ANNA)):
                await tx.execute(b"SELECT 1 / 0")
        await assert_clean(database)

        with pytest.raises(DatabaseAway):
            async with database.transaction() as tx, tx.acting_as(user(ANNA)):
                pid = await tx.value(b"SELECT pg_backend_pid()")
                with psycopg.connect(url, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", (pid,))
                await tx.tuples(IDS)
        await assert_clean(database)

        async with database.transaction() as tx:
            with pytest.raises(psycopg.errors.UndefinedTable):
                async with tx.acting_as(user(ANNA)), tx.as_one():
                    await tx.execute(b"SELECT * FROM nowhere")
            assert await tx.tuples(WHO) == [(True, "", SEARCH_PATH)]
        await assert_clean(database)

    told(url, story)


def test_many_principals_at_once_keep_apart(url: str) -> None:
    people = {ANONYMOUS: [1], user(ANNA): [2], user(BEN): [3], SECRET: [1, 2, 3, 4]}

    async def story() -> None:
        async with opened(url, most=3) as database:
            asked = [who for who in people for _ in range(25)]
            assert await asyncio.gather(*(ids(database, who) for who in asked)) == [
                people[who] for who in asked
            ]

    asyncio.run(asyncio.wait_for(story(), 30))


def test_an_auth_of_somebody_else_is_left_alone(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            b"CREATE SCHEMA auth; CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'"
        )
        asyncio.run(migrate(empty_database_url, read_migrations(MIGRATIONS)))
        found = connection.execute(b"SELECT proname FROM pg_proc WHERE pronamespace = 'auth'::regnamespace")
        assert found.fetchall() == [("uid",)]


@pytest.fixture
def poor_role(empty_database_url: str) -> Iterator[str]:
    """It may make schemas in the database, and no roles."""
    role = new_id("role")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        database = connection.info.dbname
        connection.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE {database} TO {role}".encode()
        )
        yield role
        connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_who_may_not_make_roles_can_do_all_else(empty_database_url: str, poor_role: str) -> None:
    url = psycopg.conninfo.make_conninfo(empty_database_url, user=poor_role, password="x")
    asyncio.run(migrate(url, read_migrations(MIGRATIONS)))

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            assert await tx.value(b"SELECT auth.uid()") is None
        with pytest.raises(Unavailable, match="role 'anon': see `ogel doctor`"):
            await ids(database, ANONYMOUS)

    told(url, story)
