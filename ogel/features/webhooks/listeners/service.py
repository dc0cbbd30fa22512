"""The listener's side: it polls for offered requests and returns the answers."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Collection, Sequence

import msgspec

from ogel.features.webhooks.listeners.handover import Handover, HandoverAnswer, Handovers
from ogel.features.webhooks.listeners.store import ListenerStore
from ogel.features.webhooks.listeners.waiting import RowWaiter
from ogel.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from ogel.runtime.database.database import Database

# The most polls at once in one process.
MOST_ASKING = 200


class ListenerService:
    def __init__(self, database: Database, store: ListenerStore) -> None:
        self._database = database
        self._store = store
        self._waiting = RowWaiter(self._with_some)
        self._asking = 0

    async def ask(self, id: str, wait_seconds: float) -> Handovers:
        """
        Returns requests to send now, or none after the given seconds. Raises NotFound when it is not a listener any
        more.
        """
        if self._asking >= MOST_ASKING:
            raise Unavailable("Too many listeners are connected here.", retry_after_seconds=5)
        self._asking += 1
        try:
            taken = await self._taken(id, wait_seconds)
        finally:
            self._asking -= 1
        return Handovers([msgspec.json.decode(each, type=Handover) for each in taken])

    async def _taken(self, id: str, wait_seconds: float) -> Sequence[str]:
        async with self._database.autocommit() as tx:
            seen_at = await self._store.see(tx, id)
            if seen_at is None:
                raise NotFound(
                    f"No listener {id!r}: it was deleted, or away for so long that it was forgotten."
                )
            taken = await self._store.take(tx, id, seen_at)
        if not taken and wait_seconds:
            await self._waiting.until(id, wait_seconds)
            async with self._database.autocommit() as tx:
                taken = await self._store.take(tx, id, seen_at)
        return taken

    async def answer(self, id: str, handover_id: str, answer: HandoverAnswer) -> None:
        """Raises Conflict when no worker waits for the answer any more."""
        _check(answer)
        async with self._database.autocommit() as tx:
            text = msgspec.json.encode(answer).decode()
            if not await self._store.answer(tx, id, handover_id, text):
                raise Conflict(
                    "Nobody waits for this answer any more: the attempt is over, or was answered before."
                )

    async def _with_some(self, ids: Sequence[str]) -> Collection[str]:
        async with self._database.autocommit() as tx:
            return await self._store.with_some(tx, ids)


def _check(answer: HandoverAnswer) -> None:
    if (answer.answered is None) == (answer.failed is None):
        raise Invalid.field("body", "takes `answered` or `failed`, and one of them")
    if answer.answered is not None:
        try:
            b64decode(answer.answered.body, validate=True)
        except (binascii.Error, ValueError):
            raise Invalid.field("body.answered.body", "is not base64") from None
