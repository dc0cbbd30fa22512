"""Migrations that are named by times may be applied in any order that what they need allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ogel.adapters.migrations import Migration, migrate, read_migrations
from ogel.kernel.errors import ConfigError
from tests.support.schema import MIGRATIONS, dump

# All others come after it: whoever has tables has them where it put them.
GROUND = 202611281830


def latest_first(migrations: Sequence[Migration]) -> list[Migration]:
    ordered = [each for each in migrations if each.version <= GROUND]
    left = list(migrations[len(ordered) :])
    while left:
        known = {each.name for each in ordered}
        ordered.append(max((m for m in left if known.issuperset(m.needs)), key=lambda each: each.version))
        left.remove(ordered[-1])
    return ordered


def test_the_schema_is_the_same_when_the_latest_come_first(
    empty_database_url: str, database_url: str
) -> None:
    """
    One that landed late is applied after those that were written later. Where this fails, it builds on another one
    that it does not name (`-- needs: …`).
    """
    asyncio.run(migrate(empty_database_url, latest_first(read_migrations(MIGRATIONS))))
    assert dump(empty_database_url) == dump(database_url)


def directory(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name.strip('_')}.sql").write_text(text)
    return tmp_path


def test_a_late_one_is_applied_after_what_it_needs(empty_database_url: str, tmp_path: Path) -> None:
    early = "CREATE TABLE early (n int)"
    later = "-- why\n-- needs: 202611281900_early, 0001_first\nALTER TABLE early ADD COLUMN m int"
    names = {"_0001_first": "SELECT 1", "_202611281900_early": early, "_202611281910_later": later}
    migrations = read_migrations(directory(tmp_path, **names))
    assert [each.version for each in migrations] == [1, 202611281900, 202611281910]
    asyncio.run(migrate(empty_database_url, migrations))
    late = read_migrations(directory(tmp_path, _202611281905_late="SELECT 1"))
    assert [each.name for each in asyncio.run(migrate(empty_database_url, late))] == ["202611281905_late"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"_0001_a": "", "_0003_c": ""}, "one is missing"),
        ({"_202611281900_a": "", "_202611281900_b": ""}, "two have the same number"),
        ({"_202611281900_a": "-- needs: 202611281901_b", "_202611281901_b": ""}, "202611281901_b, which is not there"),
        ({"_202611281900_a": "-- needs: nothing_like_it"}, "needs nothing_like_it"),
        ({"_2026_a": "", "_20261128_b": ""}, "20261128_b.sql is no migration name"),
    ],
)  # fmt: skip
def test_names_and_needs_are_checked(files: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        read_migrations(directory(tmp_path, **files))
