"""Messages that are to be sent, with their devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from ogel.features.messaging.devices.device import Address, unseal
from ogel.features.messaging.sending.due import DueMessage, KnownDevice
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.delivery.messages import MessageQueries
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)
_SQL = Queries.beside(__name__)

MESSAGE_QUERIES = MessageQueries(_SQL.add_attempts, _SQL.settle, _SQL.give_up, _SQL.reopen)


class DueMessageStore:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def load(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, DueMessage]:
        """By message; those that are not queued are left out."""
        rows = await tx.tuples(_SQL.load_messages, {"ids": list(ids)})
        return {
            id: DueMessage(attempts, queued_at, lifetime, id, channel, to, content, self._device(*device))
            for attempts, queued_at, lifetime, id, channel, to, content, *device in rows
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
