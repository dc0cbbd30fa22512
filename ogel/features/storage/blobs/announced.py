"""Intents announced in advance, many by one statement: a small upload then takes no transaction before its bytes."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from ogel.features.storage.blobs.blob import Intent, new_key
from ogel.features.storage.blobs.store import BlobStore
from ogel.runtime.database.database import Database

# Their rows end by themselves; none is given out that does not last for long.
_SECONDS, _LEAST_SECONDS = 3600.0, 1800.0
_AT_ONCE = 64


class AnnouncedBlobs:
    """
    They belong to no bucket and reserve nothing, so they are not for what a quota counts. What is not used when the
    process ends is reaped, as all that is pending.
    """

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database = database
        self._store = store
        # Each with when it is too old to be given out.
        self._ready: deque[tuple[float, Intent]] = deque()
        self._announcing: asyncio.Task[None] | None = None

    async def take(self) -> Intent:
        while True:
            while self._ready:
                until, intent = self._ready.popleft()
                if until > time.monotonic():
                    if len(self._ready) < _AT_ONCE // 2:
                        self._announce()
                    return intent
            await asyncio.shield(self._announce())

    def forget(self) -> None:
        """To be called when one was not there any more: the others may have gone with it, in a restored database."""
        self._ready.clear()

    def _announce(self) -> asyncio.Task[None]:
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._write())
            self._announcing.add_done_callback(_forgive)
        return self._announcing

    async def _write(self) -> None:
        until = time.monotonic() + _SECONDS - _LEAST_SECONDS
        intents = [Intent(new_key()) for _ in range(_AT_ONCE)]
        async with self._database.autocommit() as tx:
            await self._store.announce(tx, [intent.key for intent in intents], _SECONDS)
        self._ready.extend((until, intent) for intent in intents)


def _forgive(task: asyncio.Task[None]) -> None:
    """Who waits for it hears of its failure; in advance it was for nobody, and is tried again for the next."""
    if not task.cancelled():
        task.exception()
