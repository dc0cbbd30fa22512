"""Which files a run applies."""

from __future__ import annotations

import pytest

from ogel.features.databases.migrations.migration import MigrationFile
from ogel.features.databases.migrations.plan import edited, in_order, plan
from ogel.kernel.errors import Invalid
from ogel.runtime.database.registered import Applied
from ogel.runtime.database.sqlfile import SqlFile


def test_files_go_by_number_and_not_by_spelling() -> None:
    names = ["10_c.sql", "9_b.sql", "0001_a.sql"]
    files = in_order([MigrationFile(name, "SELECT 1") for name in names])
    assert [file.name for file in files] == ["0001_a.sql", "9_b.sql", "10_c.sql"]


def test_a_place_is_the_callers() -> None:
    broken = "-- outside a transaction\nSELECT 1;\nSELECT 2"
    with pytest.raises(Invalid) as caught:
        in_order([MigrationFile("2_b.sql", broken), MigrationFile("1_a.sql", "SELECT 1")])
    assert caught.value.errors[0].path == "body.files[0].sql"


def test_the_first_edited_file_counts_and_what_is_not_among_the_files_does_not() -> None:
    applied = [
        Applied("10_c.sql", "x"),
        Applied("9_b.sql", "y"),
        Applied("gone", "z"),
        Applied("²_x.sql", "z"),
        Applied(f"{'9' * 5000}_x.sql", "z"),  # more digits than Python reads
    ]
    changed = edited({"10_c.sql": "1", "9_b.sql": "2"}, applied)
    assert changed is not None and changed[0] == "9_b.sql" and "changed after" in changed[1]
    assert edited({"10_c.sql": "x", "11_d.sql": "2"}, applied) is None
    assert plan("dbs_1", [SqlFile("10_c.sql", b"")], applied).unknown[-2:] == ["gone", "²_x.sql"]


@pytest.mark.parametrize("name", ["9_other.sql", "0009_b.sql", "009_B.sql"])
def test_a_number_is_applied_once_whatever_its_file_is_called(name: str) -> None:
    file = SqlFile(name, b"SELECT 1;")
    applied = [Applied("9_b.sql", file.checksum)]
    assert edited({name: file.checksum}, applied) == (
        name,
        "has the number of 9_b.sql, which is applied; give it one of its own",
    )
    assert [each.state for each in plan("dbs_1", [file], applied).files] == ["edited"]
    # Where two have been applied under one number before, nothing is new.
    assert edited({name: file.checksum}, [*applied, Applied(name, file.checksum)]) is None


@pytest.mark.parametrize(
    ("sql", "breaks_off"),
    [
        (b"SELECT 1", False),
        (b"-- outside a transaction\nSELECT 1;\n", False),
        (b"-- outside a transaction\r\nSELECT 1; \r\n-- the end\r\n", False),
        (b"-- outside a transaction\nSELECT 1;\nSELECT 2", True),
        (b"-- outside a transaction\nSELECT 1; -- more\n", True),
        (b"-- outside a transaction\n", False),
    ],
)
def test_a_file_that_breaks_off(sql: bytes, breaks_off: bool) -> None:
    assert SqlFile("1_a.sql", sql).breaks_off is breaks_off
