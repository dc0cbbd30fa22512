"""A device as callers register and read it, and the sealed parts of it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ogel.kernel.text import STORABLE_PATTERN, pattern
from ogel.runtime.messaging import Subscription
from ogel.runtime.secrets.vault import Vault

Kind = Literal["fcm", "webpush"]
DeviceState = Literal["enabled", "disabled"]

Subject = Annotated[
    str,
    Meta(min_length=1, max_length=256, pattern=STORABLE_PATTERN, description="Whose it is: `user/17`."),
]
Token = Annotated[
    str,
    Meta(
        pattern=pattern(r"^[!-~]{1,4096}(?!\n)$", "1 to 4096 visible ASCII characters"),
        description="What the Firebase SDK gave to the app.",
    ),
]
Base64Url = Annotated[
    str,
    Meta(pattern=pattern(r"^[A-Za-z0-9_-]{1,256}={0,2}(?!\n)$", "base64url, 256 characters at most")),
]


class SubscriptionKeys(Struct, frozen=True, forbid_unknown_fields=True):
    p256dh: Base64Url
    auth: Base64Url


class NewSubscription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A browser's `PushSubscription`, as its `toJSON()` gives it."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=2048)]
    keys: SubscriptionKeys
    expiration_time: float | None = None


class NewFcmDevice(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="provider", tag="fcm"
):
    token: Token
    subject: Subject | None = None


class NewWebPushDevice(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="provider", tag="webpush"
):
    subscription: NewSubscription
    subject: Subject | None = None


NewDevice = NewFcmDevice | NewWebPushDevice


class Device(Struct, frozen=True):
    """
    `service` is `fcm`, or the origin of the browser's push service. `disabled` means that its provider reported it
    gone; registering it again enables it.
    """

    id: str
    provider: Kind
    service: str
    subject: str | None
    state: DeviceState
    disabled_reason: str | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


Address = str | Subscription


def device_purpose(device_id: str) -> str:
    return f"device {device_id}"


def address_hash(address: Address) -> bytes:
    """Identifies a device: by its token, or the URL of its subscription, because the keys may change."""
    kind, name = ("fcm", address) if isinstance(address, str) else ("webpush", address.endpoint)
    return hashlib.sha256(f"{kind} {name}".encode()).digest()


def seal(vault: Vault, device_id: str, address: Address) -> bytes:
    return vault.seal(msgspec.json.encode(address), device_purpose(device_id))


def unseal(vault: Vault, device_id: str, sealed: bytes) -> Address:
    """Raises Unsealable."""
    plain = vault.unseal(sealed, device_purpose(device_id))
    address: Address = msgspec.json.decode(plain, type=Address)
    return address
