"""
Real servers for every test that asks: one PostgreSQL and one Valkey per test process, a fresh database per test.

`long` tests take minutes; they run when asked for: `make chaos`.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from hypothesis import settings
from psycopg import sql

from ogel.adapters.migrations import migrate, read_migrations
from ogel.kernel.ids import new_id
from tests.support.seaweed import Seaweed
from tests.support.seaweed import seaweed as start_seaweed

BACKEND = os.environ.get("OGEL_TEST_BACKEND", "embedded")
MIGRATIONS = Path(__file__).parent.parent / "sql" / "migrations"
_TEMPLATE = "ogel_template"
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4_000_000_000
# File by file: block by block, through the log, takes half as much CPU again.
COPY = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
LONG = "long: takes minutes; left out unless -m names it"


@dataclass(frozen=True)
class Servers:
    database_url: str
    redis_url: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", LONG)
    _keep_bytecode()
    # An example that took long says something of the machine.
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def _keep_bytecode() -> None:
    """
    For the processes that tests start, and for the next run: compiling takes longer than all else that importing does.
    Beside the sources, as `make setup` has done; elsewhere all libraries would be compiled once more.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of tests, and all they import, stay: the garbage collector need not look through them over and over."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)  # as `ogel` itself has it


def pytest_report_header() -> str:
    if BACKEND != "containers":
        return f"servers: {BACKEND} (OGEL_TEST_BACKEND=containers uses Docker)"
    missing = _why_no_docker()
    return f"servers: containers; {f'SKIPPING what needs them: {missing}' if missing else 'Docker answers'}"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if BACKEND == "containers":
        yield from _containers()
    else:
        with _directory(tmp_path_factory) as directory:
            yield from _embedded(directory)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """An S3 service, with one bucket that all tests of this process share."""
    with start_seaweed(tmp_path_factory.mktemp("weed")) as started:
        yield started


@pytest.fixture(scope="session")
def _template(servers: Servers) -> str:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_TEMPLATE)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
    asyncio.run(migrate(_other_database(servers.database_url, _TEMPLATE), read_migrations(MIGRATIONS)))
    return _TEMPLATE


@pytest.fixture
def database_url(servers: Servers, _template: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    with migrated(servers, _template) as url:
        yield url


@pytest.fixture
def control_database_url(servers: Servers, _template: str) -> Iterator[str]:
    """Another, on the same server."""
    with migrated(servers, _template) as url:
        yield url


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """A database of this test's own, without a table."""
    name = new_id("test")
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield _other_database(servers.database_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """Flushed before and after; no other test of this process uses it meanwhile."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
        yield servers.redis_url
        client.flushall()


@contextmanager
def migrated(servers: Servers, template: str) -> Iterator[str]:
    name = new_id("test")
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(COPY.format(sql.Identifier(name), sql.Identifier(template)))
        yield _other_database(servers.database_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _other_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is plenty: hundreds of databases are hundreds of files each."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield tmp_path_factory.mktemp("servers")
        return
    for left in MEMORY.glob("ogel-tests-*"):  # by a run that was killed
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    directory = MEMORY / f"ogel-tests-{os.getpid()}"
    directory.mkdir(mode=0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _embedded(directory: Path) -> Iterator[Servers]:
    from ogel.adapters.embedded import EmbeddedServers, postgres

    # What is killed here are processes: only a power cut would lose what the system has not written yet, and a
    # database per test is a lot to wait for.
    with mock.patch.dict(postgres._SETTINGS, {"fsync": "off"}):
        started = EmbeddedServers.start(directory)
    with started:
        assert started.database_url and started.redis_url
        _make_passwords_cheap(started.database_url)
        yield Servers(started.database_url, started.redis_url)


def _make_passwords_cheap(database_url: str) -> None:
    """Of the thousands of connections that tests make, each spends 3 ms on hashing what protects nobody here."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET scram_iterations = 1")
        user, password = sql.Identifier(connection.info.user), connection.info.password
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, password))


def _containers() -> Iterator[Servers]:
    missing = _why_no_docker()
    if missing:
        pytest.skip(f"OGEL_TEST_BACKEND=containers, but {missing}")
    from testcontainers.postgres import PostgresContainer
    from testcontainers.redis import RedisContainer

    with (
        PostgresContainer("postgres:17", driver=None) as postgres,
        RedisContainer("valkey/valkey:8") as valkey,
    ):
        host, port = valkey.get_container_host_ip(), valkey.get_exposed_port(6379)
        url = postgres.get_connection_url()
        with psycopg.connect(
            url
        ) as connection:  # the embedded role is called as the schema, and needs to be told nothing
            connection.execute(
                sql.SQL("ALTER ROLE {} SET search_path = ogel, public").format(
                    sql.Identifier(connection.info.user)
                )
            )
        yield Servers(url, f"redis://{host}:{port}/0")


def _why_no_docker() -> str | None:
    from docker.errors import DockerException

    import docker

    try:
        client = docker.from_env(timeout=5)
        client.ping()
    except DockerException as error:
        return f"no Docker engine answers ({type(error).__name__})"
    client.close()
    return None
