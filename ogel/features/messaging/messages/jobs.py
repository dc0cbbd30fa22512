"""Forgetting what was sent long ago."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from ogel.features.messaging.devices.store import DeviceStore
from ogel.features.messaging.messages.store import MessageStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database, Session
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind

log = structlog.get_logger(__name__)

PURGE = "messaging.purge"
BITE = 1_000


class PurgeMessages:
    """The job kind `messaging.purge`: finished messages, answers to keys, and devices that are gone."""

    def __init__(
        self, database: Database, messages: MessageStore, devices: DeviceStore, retention_days: float
    ) -> None:
        self._database = database
        self._messages = messages
        self._devices = devices
        self._retention = timedelta(days=retention_days)

    def kind(self) -> JobKind:
        return JobKind(PURGE, queue="cleanup", perform=self.perform, timeout_seconds=3600)

    async def perform(self, job: Job, _: Any) -> None:
        before = utc_now() - self._retention
        messages = await self._all(self._messages.purge, before)
        requests = await self._all(self._messages.purge_requests, before)
        devices = await self._all(self._devices.purge, before)
        log.info(
            "messages.purged",
            messages=messages,
            requests=requests,
            devices=devices,
            before=before.isoformat(),
            job=job.id,
        )

    async def _all(self, purge: Callable[[Session, datetime, int], Awaitable[int]], before: datetime) -> int:
        total, deleted = 0, BITE
        while deleted == BITE:
            async with self._database.session() as session:
                deleted = await purge(session, before, BITE)
            total += deleted
        return total
