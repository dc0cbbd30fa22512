"""Every table of the schema is backed up, or left out for a reason that somebody wrote down."""

from __future__ import annotations

import asyncio

import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.backups.catalog import Shape, TableName, tables
from ogel.platform.platform import Platform
from ogel.runtime.database.database import Database
from ogel.runtime.database.schemas import OWN, SCHEMAS
from ogel.settings import Settings
from tests.support.process import ADMIN_KEY, SECRET


def left_out() -> dict[str, str]:
    nowhere = Settings(
        database_url="postgresql://nowhere/none",
        redis_url="redis://nowhere",
        admin_key=ADMIN_KEY,
        secret=SECRET,
    )
    return {
        table: why for feature in Platform(nowhere).features.all() for table, why in feature.left_out.items()
    }


async def backed_up(url: str) -> list[Shape]:
    pool = make_pool(url, PoolOptions(1, 1, 30, 5, 10))
    await pool.open()
    try:
        async with Database(pool, lambda queues: None).autocommit() as tx:
            return await tables(tx, left_out())
    finally:
        await pool.close()


def test_no_table_is_forgotten(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY (%s)"
        every = {str(TableName(*row)) for row in connection.execute(query, (list(SCHEMAS),)).fetchall()}
    shapes = asyncio.run(backed_up(database_url))  # raises where tables refer to each other in a circle
    copied = [str(shape.name) for shape in shapes]
    assert len(copied) == len(set(copied))
    assert set(copied) | set(left_out()) == every
    assert set(copied) & set(left_out()) == set()
    assert all(len(why) > 10 for why in left_out().values())
    assert all(shape.columns for shape in shapes)


def test_a_table_is_filled_after_those_it_refers_to(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"SET search_path = {OWN}".encode())
        references = connection.execute(
            "SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
        ).fetchall()
    order = [str(shape.name) for shape in asyncio.run(backed_up(database_url))]
    assert references
    for table, other in references:
        if table in order:
            assert order.index(other) < order.index(table)
