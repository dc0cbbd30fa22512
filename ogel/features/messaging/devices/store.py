"""The devices table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ogel.features.messaging.devices.device import Device
from ogel.runtime.database.database import Queries, Transaction, records

_SQL = Queries.beside(__name__)


class DeviceTarget(NamedTuple):
    """A device, read for a new message; `disabled_reason` is None while it is enabled."""

    service: str
    disabled_reason: str | None


class GoneDevice(NamedTuple):
    """
    `seen_at` identifies the version that the provider was asked about: a device registered again since then stays
    enabled.
    """

    id: str
    seen_at: datetime
    reason: str


class DeviceStore:
    async def lock_address(self, tx: Transaction, address_hash: bytes) -> None:
        await tx.execute(_SQL.lock_address, {"key": int.from_bytes(address_hash[:8], "big", signed=True)})

    async def find(self, tx: Transaction, address_hash: bytes) -> str | None:
        found: str | None = await tx.value(_SQL.find_device, {"address_hash": address_hash})
        return found

    async def put(self, tx: Transaction, row: Mapping[str, Any]) -> Device:
        [device] = await tx.all(_SQL.put_device, row, Device)
        return device

    async def get(self, tx: Transaction, id: str) -> Device | None:
        return await tx.one(_SQL.get_device, {"id": id}, Device)

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Device]:
        return await tx.all(_SQL.list_devices, filters, Device)

    async def targets(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, DeviceTarget]:
        rows = await tx.tuples(_SQL.targets, {"ids": list(ids)})
        return {id: DeviceTarget(service, reason) for id, service, reason in rows}

    async def delete(self, tx: Transaction, id: str) -> bool:
        return await tx.execute(_SQL.delete_device, {"id": id}) > 0

    async def disable(self, tx: Transaction, gone: Sequence[GoneDevice]) -> Sequence[Device]:
        """Those that were enabled, and are the version that was seen."""
        rows = records([each._asdict() for each in gone])
        return await tx.all(_SQL.disable_devices, {"rows": rows}, Device)
