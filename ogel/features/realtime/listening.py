"""Tells publishers whether any client listens: while none does, realtime costs nothing per event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

import structlog

from ogel.features.realtime.store import publishing, say_gone, say_listening
from ogel.kernel.errors import Unavailable
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.database.patience import patience

log = structlog.get_logger(__name__)

# How long a process's announcement is valid, even while the database is away, and how often it is renewed.
LEASE_SECONDS = 900.0
RENEW_SECONDS = 60.0
# How long the first client waits for publishers that are active at that moment, and how often that is checked.
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 0.02


class Presence(Protocol):
    """Tells publishers that clients are connected to this process."""

    def somebody(self) -> AbstractAsyncContextManager[None]:
        """
        Realtime gets all events whose requests begin inside the block. Raises Unavailable or DatabaseAway when the
        presence cannot be announced.
        """

    def stay(self) -> Callable[[], None]:
        """Inside the block: the client stays beyond it, until the returned function is called."""

    async def run(self, stop: asyncio.Event) -> None:
        """A lifecycle service."""


class Listening:
    """
    A Presence stored in the database: announced when the first client connects, and withdrawn a while after the last
    one left, so that reconnecting costs nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process = new_id("proc")
        self._clients = 0
        self._is_said = False
        self._saying = asyncio.Lock()
        # All clients that connect meanwhile wait for this one announcement.
        self._beginning: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def somebody(self) -> AsyncIterator[None]:
        self._clients += 1
        try:
            if not self._is_said:
                if self._beginning is None:
                    self._beginning = asyncio.create_task(self._begin())
                # A client that disconnects does not cancel it for the others.
                await asyncio.shield(self._beginning)
            yield
        finally:
            self._leave()

    def stay(self) -> Callable[[], None]:
        self._clients += 1
        return self._leave

    def _leave(self) -> None:
        self._clients -= 1

    async def _begin(self) -> None:
        try:
            async with self._saying:
                await self._say()
                await self._until_all_know()
                self._is_said = True
        finally:
            self._beginning = None

    async def run(self, stop: asyncio.Event) -> None:
        stopping = False
        while not stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(RENEW_SECONDS):
                    await stop.wait()
            stopping = stop.is_set()
            try:
                # The first client may be waiting for this to end.
                with patience(PATIENCE_SECONDS):
                    await self._say_again(stopping=stopping)
            except DatabaseAway as error:
                log.warning("realtime.database_away", error=error.reason)

    async def _say_again(self, *, stopping: bool) -> None:
        """Renews the announcement, or withdraws it when no client is left."""
        async with self._saying:
            if self._clients and not stopping:
                await self._say()
            elif self._is_said:
                self._is_said = False
                async with self._database.autocommit() as tx:
                    await say_gone(tx, self._process)

    async def _say(self) -> None:
        async with self._database.autocommit() as tx:
            await say_listening(tx, self._process, LEASE_SECONDS)

    async def _until_all_know(self) -> None:
        """
        A transaction that is publishing now may have found no listener, so its events are not broadcast; waits until
        such transactions have ended.
        """
        async with self._database.autocommit() as tx:
            unknowing = await publishing(tx)
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while unknowing:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    "Events are being published without end. Connect again.", retry_after_seconds=1
                )
            await asyncio.sleep(LOOK_SECONDS)
            async with self._database.autocommit() as tx:
                unknowing &= await publishing(tx)
