"""PostgreSQL: whether it answers, whether it is one that Ogel can live in, and the schema."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ogel.cli.doctor.advice import advice_on, containers_hint, reason_of
from ogel.cli.doctor.clock import clock
from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.kernel.principal import ANON, AUTHENTICATED, SERVICE
from ogel.runtime.database.schemas import SEARCH_PATH, leads_to_tables
from ogel.settings import Settings

_LEAST_VERSION = 140_000
_CHECK = "check {variable}, and that this machine reaches it (on Railway: the private name, same project)"
# libpq gives no code for a connection that was refused, only words.
_ADVICE = (
    ("password authentication failed", "the user or the password in {variable} is another one"),
    ("no password supplied", "{variable} has no password, and the server wants one"),
    (r"role .* does not exist", "the user in {variable} is not there"),
    (
        r"database .* does not exist",
        "the database that {variable} names is not there: make it, or name another one",
    ),
    (
        "no pg_hba.conf entry",
        "the server does not let this user in from here, or not without TLS (sslmode=require)",
    ),
    ("does not support SSL", "the server has no TLS: take sslmode out of {variable}"),
    (
        "certificate",
        "the server's certificate is not the one that {variable} asks for (sslmode, sslrootcert)",
    ),
    (
        "too many (clients|connections)",
        "the server has no connection left: lower OGEL_POOL_MAX, or raise max_connections",
    ),
    ("unsupported startup parameter", "that is a pooler: set DATABASE_UNPOOLED_URL to the server itself"),
    ("translate host name|not known|resolve|No address", "no such host: check its name in {variable}"),
    (
        "[Cc]onnection refused",
        "nothing listens there: check host and port in {variable}, and that the server runs",
    ),
    (
        "timeout|timed out",
        "nothing answers there: a firewall, another network, or a wrong address in {variable}",
    ),
)


class Server(NamedTuple):
    number: int
    version: str
    encoding: str
    recovering: bool
    read_only: bool
    connections: int
    reserved: int
    role_connections: int
    database_connections: int
    may_create: bool
    at: float
    search_path: str = SEARCH_PATH
    roles_missing: Sequence[str] = ()
    roles_not_granted: Sequence[str] = ()
    service_role_obeys: bool = False
    storage_schema: str | None = None


_ASK = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only')::bool,
       current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
       has_database_privilege(current_database(), 'CREATE')
         OR EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ogel' AND has_schema_privilege(oid, 'CREATE')),
       extract(epoch FROM clock_timestamp())::float8, current_setting('search_path'),
       ARRAY(SELECT r FROM unnest(%(roles)s::text[]) AS r WHERE to_regrole(r) IS NULL),
       ARRAY(SELECT r FROM unnest(%(roles)s::text[]) AS r
             WHERE to_regrole(r) IS NOT NULL AND NOT pg_has_role(to_regrole(r), 'MEMBER')),
       EXISTS (SELECT FROM pg_roles WHERE rolname = %(service)s AND NOT (rolbypassrls OR rolsuper)),
       (SELECT home FROM unnest('{storage, ogel_storage, ogel}'::text[]) WITH ORDINALITY AS homes (home, place)
        WHERE obj_description(to_regnamespace(home), 'pg_namespace') = 'Ogel: ' || home
          AND to_regclass(home || '.objects') IS NOT NULL
        ORDER BY place LIMIT 1)
"""
_ROLES = [ANON, AUTHENTICATED, SERVICE]


async def postgres(patient: Patient) -> Sequence[Finding]:
    import psycopg
    from psycopg import AsyncConnection

    from ogel.adapters.postgres import connection_arguments

    url = patient.settings.database_url
    if url is None:
        return []
    try:
        async with await AsyncConnection.connect(url, **connection_arguments(url)) as connection:
            asked_at = time.time()
            row = await (await connection.execute(_ASK, {"roles": _ROLES, "service": SERVICE})).fetchone()
            answered_at = time.time()
    except (psycopg.Error, OSError) as error:
        reason = reason_of(error)
        variable = patient.variable("database_url") or "the log of the embedded server"
        advice = advice_on(reason, _ADVICE, _CHECK).format(variable=variable)
        return [ill("postgres", reason, advice + containers_hint(patient, url, reason), "database-away.md")]
    assert row is not None
    server = Server(*row)
    return [
        well("postgres", f"PostgreSQL {server.version}"),
        *unfit(server),
        *_connections(server, patient.settings),
        *row_level_security(server),
        *storage_schema(server),
        *clock("PostgreSQL", server.at, asked_at, answered_at),
    ]


def unfit(server: Server) -> Iterator[Finding]:
    if server.number < _LEAST_VERSION:
        yield ill("postgres", f"PostgreSQL {server.version} is too old", "use version 14 or newer")
    if server.encoding != "UTF8":
        yield ill(
            "postgres",
            f"the database's encoding is {server.encoding}: much of what people write cannot be stored",
            "make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )
    if server.recovering:
        yield ill("postgres", "the server is a replica, which takes no writes", "name the primary")
    elif server.read_only:
        yield ill(
            "postgres",
            "transactions are read-only here (default_transaction_read_only)",
            "name a database, or a user, that may write",
        )
    elif not server.may_create:
        yield ill(
            "postgres",
            "the user may not create anything in this database, which migrations do",
            "GRANT CREATE ON DATABASE … TO …, or run `ogel migrate` as another user",
        )
    if not leads_to_tables(server.search_path):
        yield ill(
            "postgres",
            "a pooler leaves out what connections ask for (options, search_path): no table would be found",
            "set DATABASE_UNPOOLED_URL to the server itself",
        )


def _connections(server: Server, settings: Settings) -> Iterator[Finding]:
    from ogel.platform.outside import workers_pool_options

    wanted = settings.pool_max + workers_pool_options(settings).maximum
    limits = [server.connections - server.reserved, server.role_connections, server.database_connections]
    most = min(limit for limit in limits if limit >= 0)
    if settings.pool_min > most or wanted > most:
        yield ill(
            "postgres connections",
            f"a process takes up to {wanted} (OGEL_POOL_MAX and its workers'), and the server lets {most} in",
            "lower OGEL_POOL_MAX (and OGEL_POOL_MIN), or raise max_connections",
        )


def row_level_security(server: Server) -> Iterator[Finding]:
    """Roles are made by a migration where it may; who uses no row-level security needs none."""
    subject = "row-level security"
    if len(server.roles_missing) == len(_ROLES):
        yield well(
            subject,
            f"not set up: there are no roles {', '.join(_ROLES)}; docs/row-level-security.md makes them",
        )
        return
    if server.roles_missing:
        names = ", ".join(server.roles_missing)
        yield ill(
            subject, f"roles are missing: {names}", f"CREATE ROLE … NOLOGIN NOINHERIT for each of {names}"
        )
    if server.roles_not_granted:
        names = ", ".join(server.roles_not_granted)
        yield ill(
            subject, f"the user may not act as {names}", f"GRANT {names} TO the user that Ogel connects as"
        )
    if server.service_role_obeys:
        yield ill(
            subject, f"policies hold for {SERVICE}, too", f"as a superuser, ALTER ROLE {SERVICE} BYPASSRLS"
        )


def storage_schema(server: Server) -> Iterator[Finding]:
    """Where clients' SQL and policies find objects, if not where Supabase has them."""
    if server.storage_schema not in (None, "storage"):
        yield well(
            "storage schema",
            f"`storage` is not Ogel's here: buckets and objects, and their policies, are in {server.storage_schema}",
        )


async def schema(patient: Patient) -> Sequence[Finding]:
    import psycopg

    from ogel.adapters.migrations import MIGRATIONS, read_migrations, wait_for_schema
    from ogel.kernel.errors import ConfigError

    url = patient.settings.database_url
    if url is None:
        return []
    migrations = read_migrations(MIGRATIONS)
    try:
        await wait_for_schema(url, migrations, seconds=0)
    except (psycopg.Error, OSError):
        return [ill("schema", "it cannot be looked at: postgres does not let us in", "see postgres")]
    except ConfigError as error:
        return [ill("schema", error.message, "run `ogel migrate`")]
    return [well("schema", f"at {migrations[-1].name}")]
