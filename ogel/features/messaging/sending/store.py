"""What sending reads and writes: messages with their devices, attempts, outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from ogel.features.messaging.devices.device import Address, unseal
from ogel.features.messaging.sending.work import KnownDevice, Work
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.delivery.sent import AttemptRow, Settled
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)
_SQL = Queries.beside(__name__)


class SendingStore:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def load(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, Work]:
        """By message; those that are not queued are left out."""
        rows = await tx.tuples(_SQL.load_messages, {"ids": list(ids)})
        return {
            id: Work(id, channel, to, content, lifetime, queued_at, self._device(*device))
            for id, channel, to, content, lifetime, queued_at, *device in rows
        }

    def _device(
        self, id: str | None, sealed: bytes, reason: str | None, seen_at: datetime
    ) -> KnownDevice | None:
        return None if id is None else KnownDevice(id, self._address(id, sealed), reason, seen_at)

    def _address(self, id: str, sealed: bytes) -> Address | None:
        try:
            return unseal(self._vault, id, bytes(sealed))
        except Unsealable as error:
            log.error(
                "device.unreadable",
                device=id,
                error=f"it was {error}",
                otherwise="its app registers it again",
            )
            return None

    async def add_attempts(self, tx: Transaction, rows: Sequence[AttemptRow]) -> None:
        if rows:
            await tx.execute(_SQL.add_attempts, {"rows": records(rows)})

    async def settle(self, tx: Transaction, settled: Sequence[Settled]) -> Sequence[Mapping[str, Any]]:
        """The facts of those that have ended."""
        rows = await tx.dicts(_SQL.settle_messages, {"rows": records(settled)})
        return [row for row in rows if row["status"] != "queued"]
