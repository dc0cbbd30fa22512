"""
The chain that makes changes of the audit log show: each record's hash covers the record and the hash before it.

    hash = SHA-256(hash before || record)

`record` is the JSON object of RECORD_FIELDS: keys sorted, no spaces, UTF-8, times as RFC 3339 in UTC with microseconds.
The first record's hash before is 32 zero bytes. Where the chain begins and ends is sealed under a key derived from
OGEL_SECRET, so that whoever can write the database, and no more, cannot compute another chain that fits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

RECORD_FIELDS = (
    "seq",
    "id",
    "user_id",
    "actor",
    "action",
    "resource_type",
    "resource_id",
    "metadata",
    "ip_address",
    "user_agent",
    "request_id",
    "created_at",
)
# Records are sealed in the order of their times, give or take this: more than any transaction of ours lasts, and than
# clocks differ.
MOST_BACKDATED = timedelta(minutes=10)

Fault = Literal["altered", "removed", "inserted", "reordered", "purged", "anchor", "head"]


class End(NamedTuple):
    """One end of the chain: a position (`seq`) and the hash there."""

    seq: int
    hash: bytes


START = End(0, bytes(32))


class Linked(msgspec.Struct, frozen=True):
    """A record and its position in the chain. `record` has all RECORD_FIELDS."""

    record: Mapping[str, Any]
    hash: bytes

    @property
    def seq(self) -> int:
        seq: int = self.record["seq"]
        return seq

    @property
    def end(self) -> End:
        return End(self.seq, self.hash)

    @property
    def order(self) -> tuple[str, str]:
        """The order in which records are sealed. The time is text, which sorts correctly in the format used here."""
        return self.record["created_at"], self.record["id"]


class Broken(msgspec.Struct, frozen=True):
    """The first inconsistency found. `id` is that of the record, if it can be named."""

    fault: Fault
    seq: int
    id: str | None
    detail: str


def link(before: bytes, record: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Text from Postgres is always UTF-8, but text from a file may not be.
    return hashlib.sha256(before + canonical.encode("utf-8", "surrogatepass")).digest()


class Walk:
    """Checks the chain record by record, beginning after `start`; memory use does not depend on its length."""

    def __init__(self, start: End, start_fault: Fault = "removed") -> None:
        """`start_fault` is the fault reported when the first record does not follow `start`."""
        self.end = start
        self.count = 0
        self._start_fault = start_fault
        self._before: End | None = None
        self._last: Linked | None = None
        self._newest: datetime | None = None
        # A record that does not fit; the one after it tells why.
        self._held: Linked | None = None

    def take(self, records: Iterable[Linked]) -> Broken | None:
        """Checks the next records."""
        for each in records:
            if self._held is not None:
                return self._why(self._held, each)
            if (broken := self._step(each)) is not None:
                return broken
        return None

    def finish(self) -> Broken | None:
        """Must be called after the last record."""
        return None if self._held is None else self._why(self._held, None)

    def start_again(self, start: End) -> None:
        """Goes on from `start`, because records before it were purged meanwhile."""
        self.end, self._before, self._last, self._held = start, None, None, None

    def _step(self, each: Linked) -> Broken | None:
        if each.seq <= self.end.seq:
            return _broken("inserted", each, "its place in the chain is taken, or was purged")
        if each.seq > self.end.seq + 1:
            fault = self._start_fault if self._last is None else "removed"
            missing = f"{self.end.seq + 1} to {each.seq - 1}"
            return Broken(fault, self.end.seq + 1, None, f"the records {missing} of the chain are gone")
        if link(self.end.hash, each.record) != each.hash:
            self._held = each
            return None
        created_at = datetime.fromisoformat(each.record["created_at"])
        if self._newest is not None and created_at < self._newest - MOST_BACKDATED:
            return _broken("inserted", each, "it says it is older than what was sealed long before it")
        self._newest = created_at if self._newest is None else max(self._newest, created_at)
        self._before, self.end, self._last = self.end, each.end, each
        self.count += 1
        return None

    def _why(self, held: Linked, after: Linked | None) -> Broken:
        """Returns the first explanation that fits for why `held` does not follow the chain."""
        last, before = self._last, self._before
        if last is not None and before is not None and _fits(before.hash, held, held.seq - 1):
            return _broken("inserted", last, "the record after it was sealed in its place")
        if after is not None:
            if _fits(self.end.hash, after, held.seq):
                if _fits(after.hash, held, held.seq + 1):
                    return _broken("reordered", held, "it and the record after it have changed places")
                return _broken("inserted", held, "the record after it was sealed in its place")
            if _fits(held.hash, after, after.seq):
                return _broken("altered", held, "it is not what was sealed")
            if _fits(held.hash, after, after.seq + 1):
                return Broken("removed", held.seq, None, "the records after it have moved up into its place")
            if after.order < held.order:
                return _broken("reordered", held, "the record after it is older")
        return _broken("altered", held, "it is not what was sealed")


def _fits(before: bytes, linked: Linked, seq: int) -> bool:
    """Whether the record was sealed at position `seq` after the hash `before`."""
    return link(before, {**linked.record, "seq": seq}) == linked.hash


def _broken(fault: Fault, linked: Linked, detail: str) -> Broken:
    return Broken(fault, linked.seq, str(linked.record["id"]), detail)
