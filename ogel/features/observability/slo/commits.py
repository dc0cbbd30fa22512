"""When commits were made: Railway does not tell, so each deployment notes what whoever built it knew."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

import structlog

from ogel.runtime.database.database import Database, Queries

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
_AGAIN_SECONDS = 15.0


class CommitNote:
    """Of a process that serves the API; without a deployment or a time there is nothing to note."""

    def __init__(self, database: Database, deployment_id: str | None, committed_at: datetime | None) -> None:
        self._database = database
        self._noted = None if deployment_id is None or committed_at is None else (deployment_id, committed_at)

    async def run(self, stop: asyncio.Event) -> None:
        while self._noted is not None and not await self._note(*self._noted):
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await stop.wait()
                    return
        await stop.wait()

    async def _note(self, deployment_id: str, committed_at: datetime) -> bool:
        try:
            async with self._database.autocommit() as tx:
                await tx.execute(
                    _SQL.note_commit, {"deployment": deployment_id, "committed_at": committed_at}
                )
        except Exception as error:  # noqa: BLE001 - a note must never end what serves; it is tried again
            log.warning("commit.not_noted", error=str(error) or type(error).__name__)
            return False
        return True
