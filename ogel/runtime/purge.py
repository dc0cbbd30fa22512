"""Purges: what features delete after a retention. Manifests list them; the cleanup feature runs them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from msgspec import Struct

from ogel.runtime.database.database import Transaction

# Counting stops one above this, because people only want to know that it is many.
MOST_COUNTED = 100_000

Count = Callable[[Transaction, datetime], Awaitable[int]]
WholeBatch = Callable[[Transaction, datetime, int], Awaitable[int]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Cursor(NamedTuple):
    """The position of a walk: time (as Postgres writes it) and id of the last row that was looked at."""

    at: str
    id: str


BEGINNING = Cursor("-infinity", "")


class BatchDone(NamedTuple):
    """The result of a batch. `cursor` is where the next one continues, for a purge that skips rows."""

    deleted: int
    is_over: bool
    cursor: Cursor = BEGINNING


class Batch(Protocol):
    async def __call__(
        self, tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING, /
    ) -> BatchDone:
        """Runs in the given transaction, and looks at no more than `limit` rows, from the cursor on."""


class Purge(Struct, frozen=True):
    """
    name            letters, digits, underscores: `ogel cleanup run <name>`; outlives the code.
    deletes         completes "Deletes …": `events that no delivery needs any more`.
    retention_days  what is older goes.
    count           how many there are to delete that are older than the time it gets, up to one more than MOST_COUNTED.
    batch           deletes some of them: see Batch.
    after           the purge it waits for while that runs: what is left of that one keeps rows of this one.
    is_firm         what is younger than the retention stays, whoever asks.

    ValueError when the name cannot be used.
    """

    name: str
    deletes: str
    retention_days: float
    count: Count
    batch: Batch
    after: str | None = None
    is_firm: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"purge name {self.name!r} is not made of a-z, 0-9 and _")

    @classmethod
    def of_queries(
        cls,
        name: str,
        deletes: str,
        retention_days: float,
        *,
        count: bytes,
        batch: bytes,
        after: str | None = None,
        is_firm: bool = False,
    ) -> Purge:
        """
        A purge that deletes every old row. `count` selects a number and takes `%(before)s` and `%(most)s`; `batch` is a
        DELETE that takes `%(before)s` and `%(limit)s`, and its affected rows are counted.
        """

        async def deleted_batch(tx: Transaction, before: datetime, limit: int) -> int:
            return await tx.execute(batch, {"before": before, "limit": limit})

        return cls(name, deletes, retention_days, _counted(count), whole(deleted_batch), after, is_firm)

    @classmethod
    def of_walk(
        cls,
        name: str,
        deletes: str,
        retention_days: float,
        *,
        count: bytes,
        batch: bytes,
        after: str | None = None,
    ) -> Purge:
        """
        A purge that keeps some old rows. `batch` looks at up to `%(limit)s` rows in the order of time and id, after
        (`%(after_at)s`, `%(after_id)s`), and deletes those that may go. It selects how many it deleted, how many it
        looked at, and time (as text) and id of the last of those.
        """

        async def walked(
            tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING
        ) -> BatchDone:
            parameters = {"before": before, "limit": limit, "after_at": cursor.at, "after_id": cursor.id}
            [(deleted, seen, at, id)] = await tx.tuples(batch, parameters)
            return BatchDone(deleted, seen < limit, Cursor(at, id) if seen else cursor)

        return cls(name, deletes, retention_days, _counted(count), walked, after)


def whole(batch: WholeBatch) -> Batch:
    """The result of a batch that deletes all it finds: if it deleted fewer rows than its limit, none are left."""

    async def deleted_batch(
        tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING
    ) -> BatchDone:
        deleted = await batch(tx, before, limit)
        return BatchDone(deleted, deleted < limit)

    return deleted_batch


def _counted(query: bytes) -> Count:
    async def counted(tx: Transaction, before: datetime) -> int:
        number: int = await tx.value(query, {"before": before, "most": MOST_COUNTED + 1})
        return number

    return counted
