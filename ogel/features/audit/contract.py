"""What other features may know of the audit log: how to add a record to their own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ogel.kernel.principal import Caller
from ogel.runtime.database import Session

_NOTHING: Mapping[str, object] = {}


class AuditTrail(Protocol):
    async def record(
        self,
        tx: Session,
        caller: Caller,
        action: str,
        resource_type: str,
        resource_id: str,
        metadata: Mapping[str, object] = _NOTHING,
    ) -> None:
        """`action` is `resource.verb` (`webhook.create`). `metadata` must hold no secrets."""

    async def record_many(
        self, tx: Session, caller: Caller, action: str, resource_type: str, resource_ids: Sequence[str]
    ) -> None:
        """One record per resource, in one statement; none for none."""
