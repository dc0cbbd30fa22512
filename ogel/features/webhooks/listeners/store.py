"""The tables webhook_presence and webhook_handovers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from ogel.features.webhooks.listeners.handover import AWAY_SECONDS, TAKE_SECONDS
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)

# The most requests handed over at once, and the most characters of them if there is more than one.
AT_ONCE, CHARACTERS_AT_ONCE = 16, 1024 * 1024


class ListenerStore:
    async def add(self, tx: Transaction, webhook_id: str) -> None:
        await tx.execute(_SQL.insert_listener, {"webhook": webhook_id})

    async def count(self, tx: Transaction, most: int) -> int:
        """Counts all listeners, up to `most`."""
        return int(await tx.value(_SQL.count_listeners, {"most": most}))

    async def see(self, tx: Transaction, webhook_id: str) -> datetime | None:
        """Returns the time of this poll, which tells it from other polls; None when it is not a listener."""
        seen_at: datetime | None = await tx.value(_SQL.see, {"webhook": webhook_id})
        return seen_at

    async def away_seconds(self, tx: Transaction, webhook_id: str) -> float | None:
        """The time since it last polled; None when it is deleted."""
        seconds: float | None = await tx.value(_SQL.away_for, {"webhook": webhook_id})
        return seconds

    async def offer(
        self, tx: Transaction, id: str, webhook_id: str, request: str, answer_seconds: float
    ) -> bool:
        """Returns whether the listener polls."""
        parameters = {
            "id": id,
            "webhook": webhook_id,
            "request": request,
            "answer_seconds": answer_seconds,
            "away": AWAY_SECONDS,
        }
        return bool(await tx.value(_SQL.offer, parameters))

    async def with_some(self, tx: Transaction, webhook_ids: Sequence[str]) -> Collection[str]:
        parameters = {"webhooks": list(webhook_ids), "take": TAKE_SECONDS}
        return [id for (id,) in await tx.tuples(_SQL.listeners_with_some, parameters)]

    async def take(self, tx: Transaction, webhook_id: str, seen_at: datetime) -> Sequence[str]:
        """Returns requests, oldest first, that the listener has to send from now on; none if it has polled again."""
        parameters = {
            "webhook": webhook_id,
            "seen_at": seen_at,
            "take": TAKE_SECONDS,
            "limit": AT_ONCE,
            "characters": CHARACTERS_AT_ONCE,
        }
        return [request for _, request in sorted(await tx.tuples(_SQL.take, parameters))]

    async def answer(self, tx: Transaction, webhook_id: str, id: str, answer: str) -> bool:
        """Returns whether a worker still waits for it."""
        parameters = {"id": id, "webhook": webhook_id, "answer": answer}
        return bool(await tx.value(_SQL.answer, parameters))

    async def over(self, tx: Transaction, ids: Sequence[str]) -> Collection[str]:
        return [id for (id,) in await tx.tuples(_SQL.over, {"ids": list(ids), "take": TAKE_SECONDS})]

    async def withdraw(self, tx: Transaction, id: str) -> tuple[bool, str | None]:
        """Returns whether the request was taken, and the answer."""
        rows = await tx.tuples(_SQL.withdraw, {"id": id})
        return rows[0] if rows else (True, None)

    async def sweep(self, tx: Transaction) -> None:
        await tx.execute(_SQL.sweep)
