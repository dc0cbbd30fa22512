"""Which endpoints hear an event, and the deliveries that follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from ogel.features.webhooks.fanout.listening import keys_of
from ogel.runtime.database import Queries, Session, records
from ogel.runtime.pieces import Piece

_SQL = Queries.beside(__name__)

# Types that one statement asks about: more each time, as long as few listen to them. An answer is read at one go.
_TYPES, _MORE_TYPES, _FEW = 20, 4, 1000


class Listener(NamedTuple):
    """An endpoint that listens to a type of events; whether one fits the filter is not asked yet."""

    webhook_id: str
    filter: str | None = None
    ordered_by: str | None = None


class NewDelivery(Struct, frozen=True):
    id: str
    event_id: str
    webhook_id: str


class FanOutStore:
    async def listeners(self, session: Session, types: Sequence[str]) -> Mapping[str, Sequence[Listener]]:
        """By type, which are all different; locks none."""
        found: dict[str, list[Listener]] = defaultdict(list)
        asked, step = 0, _TYPES
        while asked < len(types):
            some = list(types[asked : asked + step])
            keys = list({key for type in some for key in keys_of(type)})
            rows = await session.tuples(_SQL.listeners, {"types": some, "keys": keys})
            for type, *listener in rows:
                found[type].append(Listener(*listener))
            asked += step
            step = step * _MORE_TYPES if len(rows) < _FEW else _TYPES
        return found

    def still_listening(self, webhook_ids: Collection[str]) -> Sequence[Piece]:
        """Locks them, as of the statement; the condition is that none has gone since it was found."""
        return [
            Piece("listening", _SQL.listening, {"webhooks": sorted(webhook_ids)}),
            Piece(
                "listeners", _SQL.listeners_hold, {"webhooks": sorted(webhook_ids)}, _SQL.listeners_changed
            ),
        ]

    def inserted(self, deliveries: Sequence[NewDelivery]) -> Piece:
        return Piece("delivering", _SQL.insert_deliveries, {"deliveries": records(deliveries)})
