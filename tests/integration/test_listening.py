"""Who hears an event is found by what globs begin or end with, however many endpoints hear something else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ogel.adapters.postgres import connection_arguments
from ogel.features.webhooks.fanout.listening import keys_of
from ogel.features.webhooks.fanout.store import FanOutStore
from ogel.kernel.event import glob_to_like
from ogel.runtime.realtime.globs import Glob
from tests.support.realtime import a_database

TYPES = ("order.created", "order.line.created", "a", "a.b", "tenant-17.order.created", "A_b", "x" * 128)
OTHERS = ["other-?.*", "order.?", "?*", "*.tenant-?", "order.*.of-?", "order.c?*"]
MANY = 100_000
# What one event may look at, however many endpoints there are: about a page for each level of the index and key.
MOST_PAGES = 150
INSERT = """
    INSERT INTO webhook_endpoints
      (id, url, event_globs, event_likes, state, disabled_reason, max_in_flight, timeout_seconds)
    VALUES (%s, 'http://receiver', %s, %s, %s, %s, 1, 1)
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def add(connection: psycopg.Connection, id: str, *globs: str, state: str = "enabled") -> None:
    reason = "gone" if state == "disabled" else None
    connection.execute(INSERT, (id, list(globs), [glob_to_like(glob) for glob in globs], state, reason))


def heard_by(database_url: str, *types: str) -> dict[str, set[str]]:
    async def asked() -> dict[str, set[str]]:
        async with a_database(database_url, lambda queues: None) as database, database.autocommit() as tx:
            found = await FanOutStore().listeners(tx, types)
        return {type: {listener.webhook_id for listener in found[type]} for type in found}

    return asyncio.run(asked())


def matches(glob: str, type: str) -> bool:
    return Glob(glob).matches(type) if "*" in glob else glob == type


def test_every_glob_that_matches_is_found(database_url: str, connection: psycopg.Connection) -> None:
    begins = ["", "o", "order.", "order.cr", "order.created", "tenant-17.", "A_", "x" * 127]
    ends = ["", "d", ".created", "r.created", "order.created", "b", "x"]
    globs = [f"{begin}*{end}" for begin, end in product(begins, ends)]
    globs += [
        "**",
        "*.*",
        "*r*",
        "order*line*created",
        "a*a",
        *TYPES,
        "nothing",
        "Order.created",
        "A%b",
        "orde_.*",
    ]
    for n, glob in enumerate(globs):
        add(connection, f"wh_{n}", glob)
        add(connection, f"wh_{n}_of_several", "other", glob, glob)
    heard = heard_by(database_url, *TYPES)
    for type in TYPES:
        wanted = {f"wh_{n}" for n, glob in enumerate(globs) if matches(glob, type)}
        assert heard.get(type, set()) == wanted | {f"{id}_of_several" for id in wanted}, type


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(glob=st.text("ab.*", min_size=1, max_size=12), type=st.text("ab.", min_size=1, max_size=12))
def test_a_glob_has_a_key_of_each_type_it_matches(
    connection: psycopg.Connection, glob: str, type: str
) -> None:
    row = connection.execute("SELECT listening_keys(%s)", ([glob],)).fetchone()
    assert row is not None
    [key] = row[0]
    if matches(glob, type):
        assert key in keys_of(type)


def test_one_that_listens_to_nothing_or_is_disabled_hears_nothing(
    database_url: str, connection: psycopg.Connection
) -> None:
    add(connection, "wh_nothing")
    add(connection, "wh_disabled", "*", state="disabled")
    add(connection, "wh_paused", "*", state="paused")
    assert heard_by(database_url, "order.created") == {"order.created": {"wh_paused"}}


def test_an_endpoint_is_found_by_its_globs_of_now(database_url: str, connection: psycopg.Connection) -> None:
    add(connection, "wh_1", "order.*")
    connection.execute("UPDATE webhook_endpoints SET event_globs = '{chat.*}', event_likes = '{chat.%}'")
    assert heard_by(database_url, "order.created", "chat.said") == {"chat.said": {"wh_1"}}


def test_a_hundred_thousand_endpoints_that_hear_nothing_cost_nothing(database_url: str) -> None:
    """Even on a connection that has asked before, when there was one."""
    with psycopg.connect(database_url, **connection_arguments(database_url)) as connection:
        add(connection, "wh_1", "order.*")
        keys = list(keys_of("order.created"))
        query = "SELECT webhook_id FROM webhook_listeners(%s::text[], %s::text[])"
        for _ in range(12):
            assert connection.execute(query, (["order.created"], keys)).fetchall() == [("wh_1",)]
        connection.execute(
            """
            INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds)
            SELECT 'wh_' || glob || n, 'http://receiver', ARRAY[replace(glob, '?', n::text)],
                   ARRAY[replace(replace(glob, '*', '%%'), '?', n::text)], 1, 1
            FROM unnest(%s::text[]) AS glob, generate_series(1, %s) AS n
            """,
            (OTHERS, MANY // len(OTHERS)),
        )
        explained = connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {query}", (["order.created"], keys)
        ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= MOST_PAGES
