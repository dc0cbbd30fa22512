"""Each table belongs to one feature, and only its owner's SQL names it: what others may know is in its contract."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ogel.platform.platform import Platform
from ogel.settings import NOWHERE
from tests.support.schema import MIGRATIONS

ROOT = MIGRATIONS.parents[1]
OWNERS = {feature.name: set(feature.tables) for feature in Platform(NOWHERE).features.all()}
# A backup names the migrations that made what it holds, so that it goes where they were applied.
OWNERS["backups"].add("schema_migrations")
# What the runtime and adapters do for an owner, beside its folder of ogel/features.
BESIDE = {
    "ogel/cli/accounts/supabase.py": "accounts",  # of another database, where they have the same names
    "ogel/adapters/migrations.py": "backups",
    "ogel/runtime/jobs/": "jobs",
    "ogel/runtime/outbox.py": "events",
    "ogel/runtime/queries.sql": "events",  # of the outbox
    "ogel/runtime/schedule/": "schedules",
}
_TABLE_OF = {table: owner for owner, tables in OWNERS.items() for table in tables}
# Whatever stands where a relation may, after its schema.
_NAMED = re.compile(
    r"\b(?:FROM|JOIN|INTO|USING|UPDATE|TABLE|ONLY|TRUNCATE)\s+(?:ONLY\s+)?(?:\w+\.)?\"?(\w+)\"?|,\s*(\w+)\s+AS\s+\w+\b"
)
_COMMENT = re.compile(r"--[^\n]*")


def owner_of(file: str) -> str | None:
    for place, owner in BESIDE.items():
        if file.startswith(place):
            return owner
    match = re.match(r"ogel/features/(\w+)/", file)
    return match[1] if match else None


def named(sql: str) -> Iterator[str]:
    """Tables of ours that statements read or write."""
    for match in _NAMED.finditer(_COMMENT.sub("", sql)):
        name = match[1] or match[2]
        if name in _TABLE_OF:
            yield name


def trespasses(file: str, sql: str) -> list[str]:
    return sorted({f"{file}: {name}" for name in named(sql) if _TABLE_OF[name] != owner_of(file)})


def test_every_table_has_one_owner() -> None:
    made = re.findall(
        r"^CREATE (?:UNLOGGED )?TABLE (?:\w+\.)?(\w+)",
        (MIGRATIONS.parent / "schema.sql").read_text(),
        re.MULTILINE,
    )
    owned = [table for tables in OWNERS.values() for table in tables]
    assert sorted(owned) == sorted(made)


def test_only_its_owner_names_a_table() -> None:
    """Mend it by a function of the runtime, or by what it or the owner's contract.py lets others read: `{events}`."""
    files = [path for end in ("sql", "py") for path in (ROOT / "ogel").rglob(f"*.{end}")]
    found = [each for path in files for each in trespasses(str(path.relative_to(ROOT)), path.read_text())]
    assert len(files) > 300 and found == []


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1 FROM job_queue", ["job_queue"]),
        ("SELECT 1 FROM {jobs} AS j", []),
        ("-- not FROM job_queue\nSELECT job_queue FROM schedules", ["schedules"]),
        ("UPDATE ogel.events AS e SET x = 1", ["events"]),
        ("INSERT INTO mail_messages (id) VALUES (1) ON CONFLICT DO UPDATE SET id = 1", ["mail_messages"]),
        ("SELECT event_globs AS events, 1 FROM a, events AS e", ["events"]),
        ("DELETE FROM a USING ONLY api_keys", ["api_keys"]),
        ("LOCK TABLE usage", ["usage"]),
    ],
)
def test_tables_are_found_in_sql(sql: str, tables: list[str]) -> None:
    assert list(named(sql)) == tables
