"""Databases that hang, are slow, or listen for what is not theirs: every question ends in time and tells nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from unittest import mock
from urllib.parse import urlsplit

import psycopg
import pytest

from ogel.adapters.databases import connecting, drivers
from ogel.adapters.databases.drivers import Drivers
from ogel.adapters.mongo import TidyClient
from ogel.runtime.database.registered import Seen, SqlError, Target, TargetError
from ogel.runtime.database.sqlfile import SqlFile
from tests.support.mongo import agreeable_mongo


def target_of(url: str, **changes: object) -> Target:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    values = {
        "type": "postgresql",
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path.lstrip("/"),
        "username": parts.username,
        "password": parts.password,
        "ssl_mode": "prefer",
    }
    return Target(**{**values, **changes})  # type: ignore[arg-type]


def answer(target: Target) -> str:
    """Why it could not be looked at."""
    with pytest.raises(TargetError) as caught:
        asyncio.run(Drivers().look(target))
    return caught.value.message


@pytest.fixture
def silent() -> Iterator[int]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield listener.getsockname()[1]


def test_who_hangs_is_given_up_on_in_time(silent: int, empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF session_user = current_user AND current_setting('application_name') = 'ogel-databases'"
            " THEN PERFORM pg_sleep(60); END IF; END $$"
        )
        connection.execute("CREATE EVENT TRIGGER slow ON login EXECUTE FUNCTION slowly()")
        connection.execute("ALTER EVENT TRIGGER slow ENABLE ALWAYS")
    hang = {"host": "127.0.0.1", "port": silent}
    targets = [
        target_of(empty_database_url),
        target_of(empty_database_url, **hang),
        target_of(empty_database_url, type="redis", database="0", ssl_mode="disable", **hang),
        target_of(empty_database_url, type="mongodb", ssl_mode="disable", **hang),
    ]

    async def story() -> list[object]:
        return await asyncio.gather(*(Drivers().look(each) for each in targets), return_exceptions=True)

    with mock.patch.object(connecting, "CONNECT_SECONDS", 2):
        began = time.monotonic()
        answers = asyncio.run(story())
    assert time.monotonic() - began < 20
    for each in answers:
        assert isinstance(each, TargetError) and not each.final, each
        assert "time" in each.message.lower()


def test_statistics_that_are_locked_do_not_make_it_unreachable(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE busy (a int)")
        connection.commit()
        connection.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")
        seen = asyncio.run(Drivers().look(target_of(empty_database_url)))
    assert seen.stats["size_bytes"] > 0
    assert seen.stats_error is not None and "largest_tables" in seen.stats_error
    assert "lock timeout" in seen.stats_error


def test_what_this_process_has_for_its_own_database_is_shown_to_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that asks for a password in the clear, and gets none."""
    monkeypatch.setenv("PGPASSWORD", "our-own-password")
    monkeypatch.setenv("PGUSER", "our-own-user")
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=ask_for_password, args=(listener, heard))
        thread.start()
        said = answer(
            Target("postgresql", "127.0.0.1", listener.getsockname()[1], "d", None, None, "disable")
        )
        thread.join(10)
    assert "no password supplied" in said
    assert b"postgres" in heard
    assert b"our-own" not in heard


def ask_for_password(listener: socket.socket, heard: bytearray) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        heard += connection.recv(4096)
        connection.sendall(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
        heard += connection.recv(4096)


def test_an_answer_is_not_lost_when_tidying_up_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "LOOK_SECONDS", 2.0)
    close, closed = TidyClient.close, 0

    async def slowly(self: TidyClient) -> None:
        nonlocal closed
        await asyncio.sleep(2.1)
        await close(self)
        closed += 1

    monkeypatch.setattr(TidyClient, "close", slowly)

    async def story() -> Seen:
        async with agreeable_mongo() as port:
            return await Drivers().look(Target("mongodb", "127.0.0.1", port, "d", None, None, "disable"))

    seen = asyncio.run(story())
    assert (seen.server_version, seen.stats_error, closed) == ("7.0.99", None, 1)


def test_a_missing_driver_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, mock.patch.dict(sys.modules, {"pymongo": None}):
        target = Target("mongodb", "127.0.0.1", listener.getsockname()[1], "d", None, None, "disable")
        assert "pip install 'ogel[mongo]'" in answer(target)


async def one_file(target: Target, sql: str) -> None:
    given = False

    async def next_file(applied: object) -> SqlFile | None:
        nonlocal given
        given, was = True, given
        return None if was else SqlFile("1_a.sql", sql.encode())

    await Drivers().migrate(target, next_file)


def test_a_database_that_cannot_keep_a_log_is_no_use_asking_again(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
    with pytest.raises(TargetError, match="no schema of the search path") as caught:
        asyncio.run(one_file(target_of(empty_database_url), "SELECT 1"))
    assert caught.value.final


def test_a_statement_that_waits_for_a_lock_is_tried_again_and_not_blamed(empty_database_url: str) -> None:
    target = target_of(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE busy (a int)")
        connection.commit()
        connection.execute("LOCK TABLE busy")
        with pytest.raises(TargetError, match="lock timeout") as caught:
            asyncio.run(one_file(target, "SET LOCAL lock_timeout = '50ms'; SELECT * FROM busy"))
        assert not caught.value.final
    with pytest.raises(SqlError, match="division by zero"):
        asyncio.run(one_file(target, "SELECT 1/0"))
