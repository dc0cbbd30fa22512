"""Publishing to channels: for requests, several of which share a statement, and in transactions of others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ogel.features.realtime.channels.sending import Sender
from ogel.features.realtime.channels.store import NewPublication, Placed, publish
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.realtime.publication import Publication
from ogel.runtime.together import Together

# Of requests that share a statement; each may bring as many publications as a batch has.
_MOST_TOGETHER = 100


class ChannelPublisher:
    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender
        self._together: Together[Sequence[NewPublication], Sequence[Placed]] = Together(
            self._publish_all, _MOST_TOGETHER
        )

    async def publish(self, items: Sequence[NewPublication]) -> Sequence[Placed]:
        """All of them or none; committed when it returns. Their places are in the order of `items`."""
        return await self._together.ask(items)

    async def publish_in(self, tx: Transaction, items: Sequence[NewPublication]) -> Sequence[Placed]:
        """In the caller's transaction: heard once that has committed."""
        placed = await publish(tx, items)
        made = _made(items, placed, utc_now())

        def ended(committed: bool) -> None:
            if committed:
                self._sender.send(made)

        tx.at_end(ended)
        return placed

    async def _publish_all(self, asked: Sequence[Sequence[NewPublication]]) -> Sequence[Sequence[Placed]]:
        items = [item for each in asked for item in each]
        async with self._database.autocommit() as tx:
            placed = await self.publish_in(tx, items)
        answers, start = [], 0
        for each in asked:
            answers.append(placed[start : start + len(each)])
            start += len(each)
        return answers


def _made(items: Sequence[NewPublication], placed: Sequence[Placed], at: datetime) -> list[Publication]:
    """Those that are new, as they are told. Events are told by who knows them whole."""
    return [
        Publication(item.channel, place.epoch, place.offset, at, item.data.encode(), item.tags, item.roles)
        for item, place in zip(items, placed, strict=True)
        if place.is_new and item.data is not None
    ]
