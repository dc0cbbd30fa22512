"""The audit_logs table."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ogel.features.audit.contract import PersonsRecord
from ogel.kernel.ids import id_at, new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import NO_METADATA, AuditEntry
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece

_SQL = Queries.beside(__name__)
_USER_AGENT_LENGTH = 512


class AuditRecord(msgspec.Struct, frozen=True):
    """
    `seq` and `hash` are the position in the chain and the hash there; both are null until the record is sealed, about
    a minute later.
    """

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
    seq: int | None
    hash: str | None


class AuditStore:
    """An AuditTrail that can be read back."""

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
        entry = AuditEntry(caller, action, resource_type, resource_id, metadata, user_id)
        await self.record_all(tx, [entry])

    async def record_all(self, tx: Transaction, entries: Sequence[AuditEntry]) -> None:
        if entries:
            await tx.execute(_SQL.insert_records, {"rows": records([_row(entry) for entry in entries])})

    def of_published(self, entries: Sequence[AuditEntry]) -> Piece:
        return Piece(
            "recorded", _SQL.records_of_events, {"records": records([_row(entry) for entry in entries])}
        )

    async def record_once(self, tx: Transaction, entries: Sequence[AuditEntry], since: datetime) -> None:
        await tx.execute(_SQL.lock_rare)
        rows = records([_row(entry) for entry in entries])
        await tx.execute(_SQL.insert_rare, {"rows": rows, "first_id": id_at("aud", since)})

    async def list(self, tx: Transaction, filters: Mapping[str, object]) -> list[AuditRecord]:
        return await tx.all(_SQL.list_records, filters, AuditRecord)

    async def of_persons(
        self,
        tx: Transaction,
        user_ids: Sequence[UUID] | None,
        actions: Sequence[str] | None,
        offset: int,
        limit: int,
    ) -> tuple[Sequence[PersonsRecord], int]:
        """Returns a page, newest first, and how many there are."""
        fitting = {
            "user_ids": None if user_ids is None else list(user_ids),
            "actions": None if actions is None else list(actions),
        }
        parameters = {**fitting, "offset": offset, "limit": limit}
        found = await tx.all(_SQL.list_of_persons, parameters, PersonsRecord)
        return found, await tx.value(_SQL.count_of_persons, fitting)


def _row(entry: AuditEntry) -> dict[str, object]:
    caller = entry.caller
    return {
        "id": new_id("aud"),
        "user_id": entry.concerned,
        "actor": caller.principal.id,
        "action": entry.action,
        "resource_type": entry.resource_type,
        "resource_id": entry.resource_id,
        "metadata": entry.metadata,
        "ip_address": _address(caller.ip),
        "user_agent": caller.user_agent[:_USER_AGENT_LENGTH] if caller.user_agent else None,
        "request_id": caller.request_id,
    }


def _address(text: str | None) -> str | None:
    """Returns None for an address that `inet` does not take, such as a host name or an address with a zone id."""
    try:
        return str(ipaddress.ip_address((text or "").partition("%")[0]))
    except ValueError:
        return None
