"""Migrations run beside the version before: no index of a large table is built while nobody may write to it."""

from __future__ import annotations

import re

import pytest

from ogel.adapters.migrations import Migration, read_migrations
from tests.support.schema import MIGRATIONS

LARGE = "job_queue|events|webhook_deliveries|webhook_attempts|audit_logs"
# The first thirteen have landed and are never edited; CHANGELOG.md says what to expect of them.
LANDED = 13
_INDEX = re.compile(
    rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY\b)[^;]*?\bON\s+(?:ONLY\s+)?({LARGE})\b", re.IGNORECASE
)
# A key builds an index, too, unless it is given one.
_KEY = re.compile(
    rf"\bALTER\s+TABLE\s+(?:ONLY\s+)?({LARGE})\b[^;]*?\b(?:UNIQUE|PRIMARY\s+KEY)\b(?!\s+USING\s+INDEX)",
    re.IGNORECASE,
)


def locked_out(sql: str) -> list[str]:
    """Large tables that exist already, and that the file builds an index on while nobody may write to them."""
    statements = re.sub(r"--[^\n]*", "", sql)
    made = re.findall(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", statements, re.IGNORECASE)
    found = {*_INDEX.findall(statements), *_KEY.findall(statements)}
    return sorted({table.lower() for table in found} - {table.lower() for table in made})


@pytest.mark.parametrize("migration", read_migrations(MIGRATIONS)[LANDED:], ids=lambda each: each.name)
def test_indexes_of_large_tables_are_built_concurrently(migration: Migration) -> None:
    assert locked_out(migration.sql.decode()) == [], (
        "CREATE INDEX CONCURRENTLY, in a file `-- outside a transaction`"
    )


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("CREATE INDEX a ON job_queue (key);", ["job_queue"]),
        ("create unique index\n  if not exists a\n  on only events (id) where id > '';", ["events"]),
        ("CREATE INDEX CONCURRENTLY a ON job_queue (key);", []),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a ON audit_logs (id);", []),
        ("CREATE INDEX a ON events_seen (id); CREATE INDEX b ON job_results (id);", []),
        ("-- not CREATE INDEX a ON events (id);\nSELECT 1;", []),
        ("CREATE TABLE webhook_attempts (id text); CREATE INDEX a ON webhook_attempts (id);", []),
        ("ALTER TABLE audit_logs ADD COLUMN a text UNIQUE;", ["audit_logs"]),
        ("ALTER TABLE webhook_deliveries ADD CONSTRAINT a PRIMARY KEY (id);", ["webhook_deliveries"]),
        ("ALTER TABLE events ADD CONSTRAINT a UNIQUE USING INDEX b;", []),
        ("ALTER TABLE events ADD COLUMN a text; CREATE TABLE x (id text PRIMARY KEY);", []),
    ],
)
def test_what_locks_writers_out_is_found(sql: str, tables: list[str]) -> None:
    assert locked_out(sql) == tables


def test_those_that_landed_are_told_to_who_upgrades() -> None:
    landed = [each for each in read_migrations(MIGRATIONS)[:LANDED] if locked_out(each.sql.decode())]
    assert landed[-1].name == "0013_control_jobs"
    notes = (MIGRATIONS.parent.parent / "CHANGELOG.md").read_text().partition("### Upgrading")[2]
    for migration in landed:
        assert f"`{migration.version:04}`" in notes
