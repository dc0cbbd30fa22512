"""Writes the use and refusal of keys to the audit log: once per key and hour, and not while a request waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import structlog
from msgspec.structs import replace

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.audit import NO_METADATA, AuditEntry, AuditTrail
from ogel.runtime.database.database import Database, DatabaseAway

log = structlog.get_logger(__name__)

Action = Literal["key.use", "key.refuse"]

FLUSH_SECONDS = 2.0
# Of each action in an hour and process. Whoever tries keys from everywhere fills the log no further; that there was
# more is the last thing it is told.
MOST = {"key.use": 10_000, "key.refuse": 100}
MORE = "more"
_HOUR = 3600


class KeyUses:
    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit
        self._hour = 0
        self._seen: dict[Action, set[str]] = {"key.use": set(), "key.refuse": set()}
        self._waiting: list[AuditEntry] = []

    def note(
        self, action: Action, key: str, caller: Caller, metadata: Mapping[str, object] = NO_METADATA
    ) -> None:
        """`key` is the id of the key, or any text that tells refused keys without an id apart."""
        hour = int(time.time()) // _HOUR
        if hour != self._hour:
            self._hour = hour
            for each in self._seen.values():
                each.clear()
        seen = self._seen[action]
        if key in seen or len(seen) > MOST[action]:
            return
        if len(seen) == MOST[action]:
            key, metadata = MORE, NO_METADATA
        seen.add(key)
        if action == "key.use":
            caller = replace(caller, principal=Principal("key", key))
        self._waiting.append(AuditEntry(caller, action, "key", key, metadata))

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await stop.wait()
            await self.flush()

    async def flush(self) -> None:
        """Records that the database did not take are offered again at the next flush."""
        entries, since = list(self._waiting), datetime.fromtimestamp(self._hour * _HOUR, UTC)
        if not entries:
            return
        try:
            async with self._database.transaction() as tx:
                await self._audit.record_once(tx, entries, since)
        except DatabaseAway as error:
            log.warning("keys.uses_not_recorded", uses=len(entries), error=error.reason)
        else:
            del self._waiting[: len(entries)]
