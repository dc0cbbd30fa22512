"""Finds the endpoints that get an event, and writes their deliveries."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from ogel.features.webhooks.fanout.listening import keys_of
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece

_SQL = Queries.beside(__name__)

# The number of types in one statement, which grows while few endpoints listen. The whole answer is held in memory.
TYPES, _MORE_TYPES, FEW = 5, 4, 1000
# No further types are added at this many keys, because the index compares each key with all before it.
MOST_KEYS = 1000


class ListeningEndpoint(NamedTuple):
    """An endpoint that listens to a type of events; its filter is not evaluated yet."""

    webhook_id: str
    filter: str | None = None
    ordered_by: str | None = None


class NewDelivery(Struct, frozen=True):
    id: str
    event_id: str
    webhook_id: str


class FanOutStore:
    async def listeners(
        self, tx: Transaction, types: Sequence[str]
    ) -> Mapping[str, Sequence[ListeningEndpoint]]:
        """
        Returns endpoints by type, without locks; the types must differ. An endpoint of several types is the same
        object in each list.
        """
        found: dict[str, list[ListeningEndpoint]] = defaultdict(list)
        known: dict[str, ListeningEndpoint] = {}
        left, most = deque(types), TYPES
        while left:
            some, keys = _next(left, most)
            rows = await tx.tuples(_SQL.listeners, {"types": some, "keys": keys})
            for type, webhook_id, *rest in rows:
                listener = known.get(webhook_id)
                if listener is None:
                    listener = known[webhook_id] = ListeningEndpoint(webhook_id, *rest)
                found[type].append(listener)
            of_each = max(1, len(rows) // len(some))
            most = max(1, min(most * _MORE_TYPES, FEW // of_each))
        return found

    def still_listening(self, webhook_ids: Collection[str]) -> Sequence[Piece]:
        """Pieces that lock the endpoints; their condition is that none was deleted since it was found."""
        return [
            Piece("listening", _SQL.listening, {"webhooks": sorted(webhook_ids)}),
            Piece(
                "listeners", _SQL.listeners_hold, {"webhooks": sorted(webhook_ids)}, _SQL.listeners_changed
            ),
        ]

    def inserted(self, deliveries: Sequence[NewDelivery]) -> Piece:
        return Piece("delivering", _SQL.insert_deliveries, {"deliveries": records(deliveries)})


def _next(left: deque[str], most: int) -> tuple[list[str], list[str]]:
    """Returns the next types and the keys that find their endpoints."""
    types: list[str] = []
    keys: set[str] = set()
    while left and len(types) < most and len(keys) < MOST_KEYS:
        types.append(left.popleft())
        keys.update(keys_of(types[-1]))
    return types, list(keys)
