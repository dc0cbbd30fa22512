"""The audit log, as features write to it: each record is part of the transaction of the change it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece

NO_METADATA: Mapping[str, object] = {}
# The type of the resource whose ids are those of users.
USER = "user"


class AuditEntry(Struct, frozen=True):
    """
    `action` is `resource.verb` (`webhook.create`). `metadata` must hold no secrets. `user_id` is the user concerned,
    where the caller is none: see `concerned`.
    """

    caller: Caller
    action: str
    resource_type: str
    resource_id: str
    metadata: Mapping[str, object] = {}
    user_id: str | None = None

    @property
    def concerned(self) -> str | None:
        """
        Returns the id of the user whose record this is: who acts, if that is a user; else whom it was done to, or who
        tried to come in.
        """
        if self.caller.principal.kind == "user":
            return self.caller.principal.id
        return self.resource_id if self.user_id is None and self.resource_type == USER else self.user_id


class AuditTrail(Protocol):
    async def record(
        self,
        tx: Transaction,
        caller: Caller,
        action: str,
        resource_type: str,
        resource_id: str,
        metadata: Mapping[str, object] = NO_METADATA,
        *,
        user_id: str | None = None,
    ) -> None:
        """Writes one AuditEntry."""

    async def record_all(self, tx: Transaction, entries: Sequence[AuditEntry]) -> None:
        """Writes all entries in one statement; without entries it does nothing."""

    def of_published(self, entries: Sequence[AuditEntry]) -> Piece:
        """Builds a piece of the statement that publishes events: for each new event, the entry whose resource it is."""

    async def record_once(self, tx: Transaction, entries: Sequence[AuditEntry], since: datetime) -> None:
        """
        Writes those entries of which no equal one (action, type and id) has been recorded since then, by any process.
        """
