"""Holds the store and the rows of blobs against each other, both ways, and the rows against objects and quotas."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

import structlog
from msgspec import Struct, field

from ogel.features.storage.blobs.blob import PREFIX, Blob, Damaged
from ogel.features.storage.blobs.encryption import stored_size
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.errors import StorageError
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.objects import Entry, ObjectStore

Item = TypeVar("Item")
Kind = Literal[
    "missing_blob",
    "size_mismatch",
    "hash_mismatch",
    "unknown_blob",
    "unowned_blob",
    "incomplete_object",
    "wrong_quota",
]
# What can be put right without losing anything.
FIXABLE: Sequence[Kind] = ("unknown_blob", "unowned_blob", "wrong_quota")

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
_PAGE = 1000
_SUSPECTS = 100
_SHOWN = 100
# No put goes on for so long: what is younger may be somebody's whose row was read before it was there.
_YOUNG = timedelta(hours=24)
# Every so many blobs, it is told how far it is.
_TOLD_EVERY = 5000


class Row(Struct, frozen=True):
    """`bucket`, `name`: of the object it belongs to."""

    key: str
    state: Literal["pending", "live", "deleting"]
    size: int
    md5: bytes | None
    sealed_key: bytes | None
    bucket: str | None = None
    name: str | None = None

    @property
    def blob(self) -> Blob:
        return Blob(self.key, self.size, self.md5, self.sealed_key)

    @property
    def stored(self) -> int:
        """The bytes that it has in the store."""
        return self.size if self.sealed_key is None else stored_size(self.size)


class Finding(Struct, frozen=True):
    """
    missing_blob       an object's bytes are not in the store.
    size_mismatch      they are there, and more or fewer than they were.
    hash_mismatch      they are others; only the share that was asked for is read.
    unknown_blob       the store has bytes under a key of ours that have no row, for more than a day.
    unowned_blob       bytes that are kept, and are no object's.
    incomplete_object  an object has not as many bytes as it says; there is no row of them.
    wrong_quota        a quota does not count what there is.

    `subject` is the key of a blob, the id of an object, or whose quota it is.
    """

    kind: Kind
    subject: str
    bucket: str | None = None
    name: str | None = None
    is_fixed: bool = False


class Report(Struct):
    """Running totals. `findings` are the first of them; `done` is the share of blobs that has been looked at."""

    done: float = 0.0
    blobs: int = 0
    bytes: int = 0
    read_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    fixed: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.counts

    def add(self, finding: Finding) -> None:
        self.counts[finding.kind] = self.counts.get(finding.kind, 0) + 1
        self.fixed += finding.is_fixed
        if len(self.findings) < _SHOWN:
            self.findings.append(finding)
        log.warning(
            "storage.inconsistent", kind=finding.kind, subject=finding.subject, fixed=finding.is_fixed
        )


Told = Callable[[Report], Awaitable[None]]


class Verifier:
    """
    Reads both sides in the order of their keys, a page at a time, while others write: whatever looks wrong is looked at
    again, by itself, before it is said to be. Memory does not grow with what is stored.
    """

    def __init__(
        self, database: Database, objects: ObjectStore, blobs: BlobService, young: timedelta = _YOUNG
    ) -> None:
        self._database = database
        self._objects = objects
        self._blobs = blobs
        self._young = young

    async def run(self, *, sample: float = 0.0, fix: bool = False, told: Told | None = None) -> Report:
        """
        `sample` is the share of blobs whose bytes are read, from 0 to 1. `fix` puts right what FIXABLE has: the others
        are bytes that are lost, of which only whoever owns the objects can say what becomes of them. Raises
        Unavailable.
        """
        report = Report()
        suspects: list[Row | Entry] = []
        async for row, entry in _side_by_side(self._rows(), self._objects.list(PREFIX)):
            report.blobs += 1
            report.bytes += row.size if row is not None else 0
            if self._is_suspect(row, entry):
                suspects.append(row or entry)  # type: ignore[arg-type]
            elif row is not None and row.state == "live" and random.random() < sample:  # noqa: S311
                await self._read(row, report)
            if len(suspects) >= _SUSPECTS:
                await self._look_again(suspects, report, fix)
                suspects.clear()
            if told is not None and report.blobs % _TOLD_EVERY == 0:
                report.done = _share(row.key if row is not None else entry.key if entry is not None else "")
                await told(report)
        await self._look_again(suspects, report, fix)
        await self._look_at_rows(report, fix)
        report.done = 1.0
        if told is not None:
            await told(report)
        return report

    async def _rows(self) -> AsyncIterator[Row]:
        after = ""
        while True:
            async with self._database.autocommit() as tx:
                page = await tx.all(_SQL.page, {"after": after, "limit": _PAGE}, Row)
            for row in page:
                yield row
            if len(page) < _PAGE:
                return
            after = page[-1].key

    async def _look_again(self, suspects: Sequence[Row | Entry], report: Report, fix: bool) -> None:
        if not suspects:
            return
        async with self._database.autocommit() as tx:
            found = await tx.all(_SQL.some, {"keys": [each.key for each in suspects]}, Row)
        rows = {row.key: row for row in found}
        for suspect in suspects:
            row, entry = rows.get(suspect.key), await self._objects.stat(suspect.key)
            if row is None and entry is not None and self._is_old(entry):
                if fix:
                    await self._objects.delete(entry.key)
                report.add(Finding("unknown_blob", entry.key, is_fixed=fix))
            elif row is not None and row.state == "live" and entry is None:
                report.add(Finding("missing_blob", row.key, row.bucket, row.name))
            elif row is not None and row.state == "live" and entry is not None and entry.size != row.stored:
                report.add(Finding("size_mismatch", row.key, row.bucket, row.name))

    def _is_suspect(self, row: Row | None, entry: Entry | None) -> bool:
        if row is None:
            return entry is not None and self._is_old(entry)
        return row.state == "live" and (entry is None or entry.size != row.stored)

    def _is_old(self, entry: Entry) -> bool:
        return utc_now() - entry.modified_at > self._young

    async def _read(self, row: Row, report: Report) -> None:
        digest, is_damaged = hashlib.md5(usedforsecurity=False), False
        try:
            async for piece in self._blobs.read([row.blob], 0, row.size):
                digest.update(piece)
                report.read_bytes += len(piece)
        except StorageError:
            return  # it was deleted in the meantime; or it is missing, which the next run finds
        except Damaged:
            is_damaged = True
        if is_damaged or (row.md5 and digest.digest() != row.md5):
            report.add(Finding("hash_mismatch", row.key, row.bucket, row.name))

    async def _look_at_rows(self, report: Report, fix: bool) -> None:
        """What the database says of itself; each statement sees one moment."""
        async with self._database.transaction() as tx:
            await tx.execute(_SQL.take_time)
            for (key,) in await tx.tuples(_SQL.let_unowned_go if fix else _SQL.unowned):
                report.add(Finding("unowned_blob", key, is_fixed=fix))
        async with self._database.transaction() as tx:
            await tx.execute(_SQL.take_time)
            for id, bucket, name in await tx.tuples(_SQL.incomplete):
                report.add(Finding("incomplete_object", id, bucket, name))
        async with self._database.transaction() as tx:
            await tx.execute(_SQL.take_time)
            wrong = [subject for (subject,) in await tx.tuples(_SQL.wrong_quotas)]
        if wrong and fix:
            async with self._database.transaction() as tx:
                await tx.execute(_SQL.hold_still)
                wrong = [subject for (subject,) in await tx.tuples(_SQL.count_quotas)]
        for subject in wrong:
            report.add(Finding("wrong_quota", subject, is_fixed=fix))


async def _side_by_side(
    rows: AsyncIterator[Row], entries: AsyncIterator[Entry]
) -> AsyncIterator[tuple[Row | None, Entry | None]]:
    """Pairs what has the same key; both are in the order of their keys."""
    row, entry = await anext(rows, None), await anext(entries, None)
    while row is not None or entry is not None:
        if entry is None or (row is not None and row.key < entry.key):
            yield row, None
            row = await anext(rows, None)
        elif row is None or entry.key < row.key:
            yield None, entry
            entry = await anext(entries, None)
        else:
            yield row, entry
            row, entry = await anext(rows, None), await anext(entries, None)


def _share(key: str) -> float:
    """How far a key is among all keys, which are spread evenly."""
    return int(key.removeprefix(PREFIX)[:2] or "0", 16) / 256
