"""A purge: what a feature forgets after a time. Manifests list them; the cleanup feature runs them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from ogel.runtime.database.database import Transaction

# Nobody counts further than one more than this: people only want to know that it is much.
MOST_COUNTED = 100_000

Count = Callable[[Transaction, datetime], Awaitable[int]]
WholeBatch = Callable[[Transaction, datetime, int], Awaitable[int]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Cursor(NamedTuple):
    """The time, as Postgres writes it, and the id of the last row that was looked at."""

    at: str
    id: str


BEGINNING = Cursor("-infinity", "")


class BatchDone(NamedTuple):
    """`cursor` is where the next batch goes on, for a purge that passes over rows."""

    deleted: int
    is_over: bool
    cursor: Cursor = BEGINNING


class Batch(Protocol):
    async def __call__(
        self, tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING, /
    ) -> BatchDone:
        """In the transaction it gets, looks at no more than `limit` rows, from the cursor on."""


@dataclass(frozen=True, slots=True)
class Purge:
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
        For rows that all go: `count` selects a number, and takes `%(before)s` and `%(most)s`; `batch` is a DELETE that
        takes `%(before)s` and `%(limit)s`, and whose affected rows count.
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
        For rows some of which stay, however old: `batch` looks at `%(limit)s` rows at most, in the order of time and id
        and after (`%(after_at)s`, `%(after_id)s`), deletes those that may go, and selects how many went, how many it
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
    """Of one that deletes all it finds: when that is fewer than it may, nothing is left."""

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
