"""Migrations run beside the version before: no index of a large table is built while nobody may write to it."""

from __future__ import annotations

import re

import pytest

from ogel.adapters.migrations import Migration, read_migrations
from tests.support.schema import MIGRATIONS

# A row for each thing that an operator made, or for each process, purge or minute of a day: an index takes no time.
# Every other table may be large.
SMALL = {
    "alerts", "api_keys", "audit_chain", "backups", "health_checks", "paused_queues", "platform_database_health",
    "platform_database_migrations", "platform_databases", "processes", "purge_runs", "schedule_changes", "schedules",
    "schema_migrations", "webhook_endpoints", "webhook_health", "webhook_replays", "webhook_secrets",
}  # fmt: skip
# The first thirteen have landed and are never edited; CHANGELOG.md says what to expect of them.
LANDED = 13
# As it may be written: quoted, or with its schema.
_NAME = r'(?:"?\w+"?\.)?"?(\w+)"?'
_TABLE = re.compile(rf"\bCREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", re.IGNORECASE)
_INDEX = re.compile(
    rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY\b)[^;]*?\bON\s+(?:ONLY\s+)?{_NAME}", re.IGNORECASE
)
# A key builds an index, too, unless it is given one.
_KEY = re.compile(
    rf"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}\s[^;]*?"
    r"\b(?:UNIQUE|PRIMARY\s+KEY)\b(?!\s+USING\s+INDEX)",
    re.IGNORECASE,
)


def locked_out(sql: str) -> list[str]:
    """Large tables that exist already, and that the file builds an index on while nobody may write to them."""
    statements = re.sub(r"--[^\n]*", "", sql)
    found = {*_INDEX.findall(statements), *_KEY.findall(statements)}
    made = _TABLE.findall(statements)
    return sorted({table.lower() for table in found} - {table.lower() for table in made} - SMALL)


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
        (
            "CREATE INDEX a ON mail_messages (id); CREATE INDEX b ON new_ones (id);",
            ["mail_messages", "new_ones"],
        ),
        ("CREATE INDEX a ON alerts (name); ALTER TABLE schedules ADD COLUMN a text UNIQUE;", []),
        ('CREATE INDEX a ON public."usage" USING btree (at);', ["usage"]),
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


def test_what_is_called_small_is_there() -> None:
    assert set(_TABLE.findall((MIGRATIONS.parent / "schema.sql").read_text())) >= SMALL


def test_those_that_landed_are_told_to_who_upgrades() -> None:
    landed = [each for each in read_migrations(MIGRATIONS)[:LANDED] if locked_out(each.sql.decode())]
    assert landed[-1].name == "0013_control_jobs"
    notes = (MIGRATIONS.parent.parent / "CHANGELOG.md").read_text().partition("### Upgrading")[2]
    for migration in landed:
        assert f"`{migration.version:04}`" in notes
