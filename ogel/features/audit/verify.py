"""Verifies that the audit log is unchanged: the whole chain in the database, or an exported piece of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from itertools import chain

import msgspec

from ogel.features.audit.chain import RECORD_FIELDS, START, Broken, End, Linked, Walk
from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import EndChanged, EndName, Ends
from ogel.kernel.errors import Malformed
from ogel.runtime.database.database import Database

PAGE = 1_000
# The least bigint, so that records before the anchor are checked, too.
_LEAST = -(2**63)
Progress = Callable[[int, int | None], None]


class ChainVerdict(msgspec.Struct, frozen=True):
    """
    records   how many are as they were sealed, from the beginning of the chain.
    head      the hash at the end; with one noted earlier you can tell that the chain continues that earlier one.
    unsealed  how many records are not sealed yet, and so unverified; `unsealed_since` is the time of the oldest.
    """

    ok: bool
    records: int
    first_seq: int
    last_seq: int
    head: str
    unsealed: int
    unsealed_since: datetime | None
    broken: Broken | None


class Verifier:
    def __init__(self, database: Database, store: ChainStore, ends: Ends) -> None:
        self._database = database
        self._store = store
        self._ends = ends

    async def verify(self, progress: Progress) -> ChainVerdict:
        """`progress` is called with the number of checked records and the total."""
        async with self._database.autocommit() as tx:
            unsealed = await self._store.count_unsealed(tx)
        walk = Walk(START)
        try:
            # The head is read first: a purge meanwhile may move the anchor, but never past the head.
            head = await self._end("head")
            walk = Walk(await self._end("anchor"), start_fault="purged")
            first = walk.end.seq + 1
            broken = await self._walk(walk, head, progress) or walk.finish() or await self._finish(walk, head)
        except _EndBroken as error:
            first, broken = walk.end.seq + 1, error.broken
        return _verdict(walk, first, broken, unsealed)

    async def _end(self, name: EndName) -> End:
        try:
            async with self._database.autocommit() as tx:
                return await self._ends.read(tx, name)
        except EndChanged as error:
            raise _EndBroken(Broken(name, 0, None, str(error))) from error

    async def _walk(self, walk: Walk, head: End, progress: Progress) -> Broken | None:
        first = walk.end.seq
        async for page in self._pages(head.seq):
            broken = walk.take(page)
            while broken is not None:
                # Retention may have purged these records meanwhile.
                anchor = await self._end("anchor")
                if anchor.seq <= walk.end.seq:
                    return broken
                walk.start_again(anchor)
                broken = walk.take(each for each in page if each.seq > anchor.seq)
            progress(walk.end.seq - first, head.seq - first)
        return None

    async def _pages(self, last: int) -> AsyncIterator[list[Linked]]:
        first, after_id = _LEAST, None
        while True:
            async with self._database.autocommit() as tx:
                page = await self._store.linked(tx, first, last, PAGE, after_id)
            if page:
                yield page
            if len(page) < PAGE:
                return
            first, after_id = page[-1].seq, page[-1].record["id"]

    async def _finish(self, walk: Walk, head: End) -> Broken | None:
        if walk.end.seq < head.seq:
            anchor = await self._end("anchor")
            if anchor.seq <= walk.end.seq:
                missing = f"{walk.end.seq + 1} to {head.seq}"
                return Broken(
                    "removed", walk.end.seq + 1, None, f"the records {missing} of the chain are gone"
                )
            walk.start_again(anchor)
        if walk.end.seq == head.seq and walk.end.hash != head.hash:
            detail = "all hashes fit each other and not the sealed head: the chain was computed anew"
            return Broken("head", head.seq, None, detail)
        async with self._database.autocommit() as tx:
            beyond = await self._store.beyond_head(tx)
        if beyond is not None:
            return Broken("inserted", beyond[0], beyond[1], "it stands beyond the end of the chain")
        return None


class _EndBroken(Exception):
    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.detail)
        self.broken = broken


def verify_lines(lines: Iterable[bytes], progress: Progress) -> ChainVerdict:
    """
    Verifies an export without a database: its records must be one piece of one chain. Compare `head` with that of
    `ogel audit verify` to know that the piece belongs to your chain. Raises Malformed for a file that is not an
    export.
    """
    records = (_parsed(number, line) for number, line in enumerate(lines, 1))
    first = next(records, None)
    if first is None:
        return _verdict(Walk(START), 1, None)
    linked, previous = first
    walk = Walk(End(linked.seq - 1, previous))
    for linked, previous in chain([first], records):
        follows = previous == walk.end.hash
        broken = walk.take([linked])
        if broken is None and walk.end.seq == linked.seq and not follows:
            broken = Broken(
                "altered", linked.seq, linked.record["id"], "its previous hash is not the one before it"
            )
        if broken is not None:
            return _verdict(walk, first[0].seq, broken)
        if walk.count % PAGE == 0:
            progress(walk.count, None)
    return _verdict(walk, first[0].seq, walk.finish())


def _parsed(number: int, line: bytes) -> tuple[Linked, bytes]:
    """Returns a record and the hash before it. Raises Malformed."""
    try:
        record = json.loads(line)
        hash, previous = bytes.fromhex(record.pop("hash")), bytes.fromhex(record.pop("previous"))
        created_at = datetime.fromisoformat(record["created_at"])
        if record.keys() != set(RECORD_FIELDS) or type(record["seq"]) is not int or created_at.tzinfo is None:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed(f"Line {number} is no record of an export by `ogel audit export`.") from None
    return Linked(record, hash), previous


def _verdict(
    walk: Walk, first_seq: int, broken: Broken | None, unsealed: tuple[int, datetime | None] = (0, None)
) -> ChainVerdict:
    return ChainVerdict(
        ok=broken is None,
        records=walk.count,
        first_seq=first_seq,
        last_seq=walk.end.seq,
        head=walk.end.hash.hex(),
        unsealed=unsealed[0],
        unsealed_since=unsealed[1],
        broken=broken,
    )
