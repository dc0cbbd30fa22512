"""Channels and publications as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from ogel.features.realtime.store import events_of
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.realtime.message import pack
from ogel.runtime.realtime.publication import Position, Publication

_SQL = Queries.beside(__name__)


class NewPublication(Struct, frozen=True, omit_defaults=True):
    """`data` is JSON as text; or `event_id` names the event that it is."""

    channel: str
    data: str | None = None
    event_id: str | None = None
    tags: dict[str, str] | None = None
    roles: list[str] | None = None
    idempotency_key: str | None = None


class Placed(Struct, frozen=True):
    """Where a publication stands. `is_new` False: it stood there before, under the same idempotency key."""

    epoch: str
    offset: int
    is_new: bool


class ChannelRow(Struct, frozen=True):
    name: str
    epoch: str
    top: int
    published_at: datetime


async def publish(tx: Transaction, items: Sequence[NewPublication]) -> list[Placed]:
    """
    In the caller's transaction, which holds the channels to its end. Transactions that publish to several channels in
    several calls can come to wait for each other; in one call they do not.
    """
    return [Placed(*row) for row in await tx.tuples(_SQL.publish, {"items": records(items)})]


async def tops(tx: Transaction, names: Sequence[str]) -> dict[str, Position]:
    """The latest position of each channel that was published to."""
    return {
        name: Position(epoch, top) for name, epoch, top in await tx.tuples(_SQL.tops, {"names": list(names)})
    }


async def clock(tx: Transaction) -> int:
    """What is another number after something was published; and, by a moment, before its commit."""
    ticks: int = await tx.value(_SQL.clock)
    return ticks


async def history(tx: Transaction, channel: str, after: int, limit: int) -> list[Publication]:
    """Publications after that offset, oldest first, as far as they are kept."""
    rows = await tx.tuples(_SQL.history, {"channel": channel, "after": after, "limit": limit})
    return await _publications(tx, rows)


async def latest(tx: Transaction, channel: str, before: int, limit: int) -> list[Publication]:
    """Publications before that offset, newest first, as far as they are kept."""
    rows = await tx.tuples(_SQL.latest, {"channel": channel, "before": before, "limit": limit})
    return await _publications(tx, rows)


async def channels(tx: Transaction, prefix: str, after: str, limit: int) -> list[ChannelRow]:
    parameters = {"prefix": prefix, "after": after, "limit": limit}
    return [ChannelRow(*row) for row in await tx.tuples(_SQL.channels, parameters)]


async def _publications(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> list[Publication]:
    """An event that is forgotten before its place in the history leaves an empty one."""
    ids = [row[-1] for row in rows if row[-1] is not None]
    events = await events_of(tx, ids) if ids else {}
    made = []
    for channel, epoch, number, at, data, tags, roles, event_id in rows:
        event = events.get(event_id)
        content = data.encode() if event_id is None else pack(event) if event else b"null"
        type = event.type if event else None
        made.append(Publication(channel, epoch, number, at, content, tags, roles, type))
    return made
