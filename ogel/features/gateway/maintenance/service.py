"""The rules of maintenance, and what a process remembers of it."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated

import msgspec
import structlog
from msgspec import Struct

from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.http.gate import Notice

log = structlog.get_logger(__name__)

# What was read is believed for this long: a switch is known to every process within a second.
BELIEVED_SECONDS = 0.8
# A database that does not answer within this leaves things as they were.
LOOK_SECONDS = 1.0
MESSAGE = "There is maintenance. Try again later."
RETRY_AFTER_SECONDS = 60
_SQL = Queries.beside(__name__)


class NewMaintenance(Struct, frozen=True, forbid_unknown_fields=True):
    """What callers are told meanwhile."""

    message: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] = MESSAGE
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = RETRY_AFTER_SECONDS


class MaintenanceInfo(Struct, frozen=True):
    """`by_setting`: OGEL_MAINTENANCE has it on, whatever the switch says. All else is about the switch."""

    on: bool
    by_setting: bool
    message: str | None = None
    retry_after_seconds: int | None = None
    since: datetime | None = None
    switched_by: str | None = None


class Switched(Struct, frozen=True):
    """The switch while it is on, as its row has it."""

    message: str
    retry_after_seconds: int
    since: datetime
    switched_by: str


class MaintenanceService:
    """Implements gate.Maintenance. `always`: the setting has it on in this process."""

    def __init__(self, database: Database, audit: AuditTrail, always: bool) -> None:
        self._database = database
        self._audit = audit
        self._always = Notice(MESSAGE, RETRY_AFTER_SECONDS) if always else None
        self._known: Notice | None = None
        self._believed_until = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def notice(self) -> Notice | None:
        """See gate.Maintenance. While the database does not answer, what was known last holds."""
        if self._always is not None:
            return self._always
        if time.monotonic() >= self._believed_until:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look(), name="maintenance")
            # All that ask meanwhile wait for the same look, and one that leaves does not end it.
            await asyncio.shield(self._looking)
        return self._known

    async def show(self) -> MaintenanceInfo:
        async with self._database.autocommit() as tx:
            return self._told(await tx.one(_SQL.get_maintenance, None, Switched))

    async def switch_on(self, caller: Caller, new: NewMaintenance) -> MaintenanceInfo:
        """Switches it on, or changes what is said."""
        said = msgspec.structs.asdict(new)
        async with self._database.transaction() as tx:
            await tx.execute(_SQL.switch_on, {**said, "switched_by": caller.principal.id})
            await self._audit.record(tx, caller, "maintenance.on", "maintenance", "maintenance", said)
            switched = await tx.one(_SQL.get_maintenance, None, Switched)
        self._believed_until = float("-inf")
        return self._told(switched)

    async def switch_off(self, caller: Caller) -> None:
        """Does nothing where it is off."""
        async with self._database.transaction() as tx:
            if await tx.execute(_SQL.switch_off):
                await self._audit.record(tx, caller, "maintenance.off", "maintenance", "maintenance")
        self._believed_until = float("-inf")

    async def _look(self) -> None:
        # Counted from before the question: the answer may be as old as that.
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._database.autocommit() as tx:
                row = await tx.one(_SQL.get_maintenance, None, Switched)
            self._known = None if row is None else Notice(row.message, row.retry_after_seconds)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, others tell of it
            log.warning("maintenance.not_looked_at", error=str(error) or type(error).__name__)
        finally:
            self._looking = None
            self._believed_until = asked_at + BELIEVED_SECONDS

    def _told(self, switched: Switched | None) -> MaintenanceInfo:
        by_setting = self._always is not None
        if switched is None:
            return MaintenanceInfo(by_setting, by_setting)
        return MaintenanceInfo(True, by_setting, **msgspec.structs.asdict(switched))
