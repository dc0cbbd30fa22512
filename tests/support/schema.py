"""The schema that the migrations make, as text to be read; run as a module it prints that (`make schema`)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import structlog

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.embedded.binaries import find_postgres
from ogel.adapters.migrations import migrate, read_migrations

MIGRATIONS = Path(__file__).parents[2] / "sql" / "migrations"
HEADER = (
    "-- The result of sql/migrations, to be read; `make schema` writes it. Why things are so is said there.\n"
)

_NOISE = re.compile(r"^(--|SET |SELECT pg_catalog|\\)", re.MULTILINE)
_TABLE = re.compile(
    r"(?:CREATE TABLE|ALTER TABLE(?: ONLY)?|COMMENT ON (?:TABLE|COLUMN)|INDEX \w+ ON(?: ONLY)?|CREATE SEQUENCE) (\w+)"
)


def dump(database_url: str) -> str:
    """By table, each with its constraints, indexes and comments; what belongs to none comes first."""
    command = ["--schema-only", "--no-owner", "--no-privileges", f"--dbname={database_url}"]
    finished = subprocess.run(
        [str(find_postgres(None) / "pg_dump"), *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [line for line in finished.stdout.splitlines() if not _NOISE.match(line)]
    statements = "\n".join(lines).replace("ogel.", "").split(";\n")
    by_table: defaultdict[str, list[str]] = defaultdict(list)
    for statement in filter(None, (each.strip() for each in statements)):
        table = _TABLE.search(statement)
        by_table[table[1] if table else ""].append(f"{statement};\n")
    return "\n".join([HEADER, *("\n".join(by_table[table]) for table in sorted(by_table))])


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedServers.start(Path(directory), redis=False) as servers,
    ):
        assert servers.database_url
        asyncio.run(migrate(servers.database_url, read_migrations(MIGRATIONS)))
        print(dump(servers.database_url), end="")


if __name__ == "__main__":
    main()
