"""sql/schema.sql is what the migrations make."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from ogel.adapters.embedded.binaries import find_postgres
from tests.support.schema import MIGRATIONS, dump

SCHEMA = MIGRATIONS.parent / "schema.sql"


def test_schema_sql_is_what_the_migrations_make(database_url: str) -> None:
    shown = subprocess.run(
        [str(find_postgres(None) / "pg_dump"), "--version"], capture_output=True, text=True, check=True
    )
    with psycopg.connect(database_url) as connection:
        server = connection.info.server_version // 10000
    client = re.search(r" (\d+)", shown.stdout)
    assert client is not None
    if int(client[1]) != server:
        pytest.skip(f"pg_dump {client[1]} writes the schema of PostgreSQL {server} in its own way")
    assert SCHEMA.read_text() == dump(database_url), "run `make schema`"


@pytest.mark.parametrize("path", sorted(MIGRATIONS.iterdir()), ids=lambda path: path.name)
def test_a_migration_says_why(path: Path) -> None:
    assert re.fullmatch(r"(\d{4}|\d{12})_[a-z0-9_]+\.sql", path.name)
    assert path.read_text().startswith("-- ")
