"""
How much there is in servers that are not ours: rows, documents, objects. Nothing is written, and every question is
bounded in time and size.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ogel.runtime.database.registered import Target


class TableWanted(Struct, frozen=True):
    """
    newest  columns with times, of which the first that the table has tells when it was written last.
    label   a column whose different values are wanted.
    """

    schema: str
    name: str
    newest: Sequence[str] = ()
    label: str | None = None


class TableSeen(Struct, frozen=True):
    """
    rows     counted where there are few, otherwise what the planner believes; None where it may not be read.
    labels   different values of the wanted column, in order, 200 at most.
    """

    schema: str
    name: str
    rows: int | None
    counted: bool
    newest: datetime | None = None
    labels: Sequence[str] = ()


class DocumentsSeen(Struct, frozen=True):
    """
    Of a MongoDB server, without its own databases (admin, config, local). None: it may not be read.

    connections  without those of the survey itself.
    writes       inserts, updates and deletes since it started, `uptime_seconds` ago.
    newest       when the newest document was made, as its id tells.
    """

    version: str
    databases: Sequence[str] | None = None
    documents: int | None = None
    size_bytes: int | None = None
    connections: int | None = None
    writes: int | None = None
    uptime_seconds: float | None = None
    newest: datetime | None = None
    error: str | None = None


class BucketsSeen(Struct, frozen=True):
    """`whole`: all objects were counted, and not only the first of them."""

    buckets: Sequence[str]
    objects: int
    size_bytes: int
    newest: datetime | None
    whole: bool


class StoreRefused(Exception):
    """A service did not tell of its buckets. The message is one line, without secrets."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Surveys(Protocol):
    async def rows(self, target: Target, tables: Sequence[TableWanted]) -> Sequence[TableSeen]:
        """Returns those tables that there are. Raises TargetError."""

    async def documents(self, target: Target) -> DocumentsSeen:
        """Raises TargetError."""

    async def buckets(self, endpoint: str, access_key: str, secret_key: str) -> BucketsSeen:
        """Asks an S3 service. Raises StoreRefused."""
