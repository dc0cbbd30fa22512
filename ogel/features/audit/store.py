"""The audit_logs table."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ogel.features.audit.contract import _NOTHING
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)
_USER_AGENT_LENGTH = 512


class AuditRecord(msgspec.Struct, frozen=True):
    id: str
    user_id: str | None
    actor: str
    action: str
    resource_type: str
    resource_id: str
    metadata: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    created_at: datetime


class AuditStore:
    """Implements the AuditTrail contract, and reads it back."""

    async def record(
        self,
        tx: Session,
        caller: Caller,
        action: str,
        resource_type: str,
        resource_id: str,
        metadata: Mapping[str, object] = _NOTHING,
    ) -> None:
        await self._insert(tx, caller, action, resource_type, [resource_id], metadata)

    async def record_many(
        self, tx: Session, caller: Caller, action: str, resource_type: str, resource_ids: Sequence[str]
    ) -> None:
        await self._insert(tx, caller, action, resource_type, resource_ids, _NOTHING)

    async def list(self, session: Session, filters: Mapping[str, object]) -> list[AuditRecord]:
        return await session.all(_SQL.list_records, filters, AuditRecord)

    async def purge(self, session: Session, before: datetime, limit: int) -> int:
        return await session.count(_SQL.purge, {"before": before, "limit": limit})

    async def _insert(
        self,
        tx: Session,
        caller: Caller,
        action: str,
        resource_type: str,
        resource_ids: Sequence[str],
        metadata: Mapping[str, object],
    ) -> None:
        if not resource_ids:
            return
        parameters = {
            "ids": [new_id("aud") for _ in resource_ids],
            "actor": caller.principal.id,
            "action": action,
            "resource_type": resource_type,
            "resource_ids": list(resource_ids),
            "metadata": msgspec.json.encode(metadata).decode(),
            "ip": _address(caller.ip),
            "user_agent": caller.user_agent[:_USER_AGENT_LENGTH] if caller.user_agent else None,
            "request_id": caller.request_id,
        }
        await tx.execute(_SQL.insert_records, parameters)


def _address(text: str | None) -> str | None:
    """`inet` takes no zone ids and no host names; a peer we cannot name is recorded as none."""
    try:
        return str(ipaddress.ip_address((text or "").partition("%")[0]))
    except ValueError:
        return None
