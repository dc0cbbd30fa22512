"""The rules of devices."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.messaging.devices.device import (
    Address,
    Device,
    NewDevice,
    NewFcmDevice,
    NewSubscription,
    address_hash,
    seal,
)
from ogel.features.messaging.devices.store import DeviceStore
from ogel.kernel.errors import Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.egress import UrlGuard
from ogel.runtime.messaging import Subscription, push_service
from ogel.runtime.secrets.vault import Vault

KEY_BYTES, SECRET_BYTES = 65, 16


class DeviceService:
    """`kinds` are those with a configured provider."""

    def __init__(
        self,
        database: Database,
        store: DeviceStore,
        vault: Vault,
        guard: UrlGuard,
        audit: AuditTrail,
        kinds: Sequence[str],
    ) -> None:
        self._database = database
        self._store = store
        self._vault = vault
        self._guard = guard
        self._audit = audit
        self._kinds = kinds

    async def register(self, caller: Caller, new: NewDevice) -> tuple[Device, bool]:
        """
        Returns True for a new device. A known one keeps its id, gets the new subject and keys, and is enabled, so that
        apps may register at each start.
        """
        kind = "fcm" if isinstance(new, NewFcmDevice) else "webpush"
        if kind not in self._kinds:
            raise Invalid.field("body.provider", f"{kind} is not set up")
        address = new.token if isinstance(new, NewFcmDevice) else await self._checked(new.subscription)
        async with self._database.transaction() as tx:
            # Under a lock that its next registration waits for: what is sealed is bound to the id.
            await self._store.lock_address(tx, address_hash(address))
            known = await self._store.find(tx, address_hash(address))
            id = known or new_id("dev")
            device = await self._store.put(tx, self._row(id, kind, address, new.subject))
            metadata = {"provider": kind, "service": device.service, "subject": new.subject}
            action = "device.update" if known else "device.create"
            await self._audit.record(tx, caller, action, "device", id, metadata)
        return device, known is None

    def _row(self, id: str, kind: str, address: Address, subject: str | None) -> Mapping[str, Any]:
        return {
            "id": id,
            "provider": kind,
            "service": "fcm" if isinstance(address, str) else push_service(address.endpoint),
            "address_hash": address_hash(address),
            "sealed": seal(self._vault, id, address),
            "subject": subject,
        }

    async def get(self, id: str) -> Device:
        async with self._database.autocommit() as tx:
            device = await self._store.get(tx, id)
        if device is None:
            raise _unknown(id)
        return device

    async def list(self, filters: Mapping[str, Any]) -> Sequence[Device]:
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, filters)

    async def delete(self, caller: Caller, id: str) -> None:
        """Messages that are queued for it fail when they are due."""
        async with self._database.transaction() as tx:
            if not await self._store.delete(tx, id):
                raise _unknown(id)
            await self._audit.record(tx, caller, "device.delete", "device", id)

    async def _checked(self, new: NewSubscription) -> Subscription:
        try:
            await self._guard.check_url(new.endpoint)
        except Invalid as error:
            raise Invalid.field("body.subscription.endpoint", error.message) from None
        key = _decoded(new.keys.p256dh, "p256dh", KEY_BYTES)
        _check_point(key)
        return Subscription(new.endpoint, key, _decoded(new.keys.auth, "auth", SECRET_BYTES))


def _decoded(text: str, name: str, length: int) -> bytes:
    path = f"body.subscription.keys.{name}"
    try:
        raw = base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except binascii.Error:
        raise Invalid.field(path, "is not base64url") from None
    if len(raw) != length:
        raise Invalid.field(path, f"has {len(raw)} bytes; it takes {length}")
    return raw


def _check_point(key: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise Invalid.field("body.subscription.keys.p256dh", "is no point of the curve P-256") from None


def _unknown(id: str) -> NotFound:
    return NotFound(f"No device {id!r}.")
