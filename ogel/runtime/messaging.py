"""SMS and push as providers get them: what a feature hands over, and what an adapter for one service must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.domain import ascii_domain

Address = TypeVar("Address")
Outgoing_contra = TypeVar("Outgoing_contra", contravariant=True)

# What fits into one record of RFC 8291: 4096 bytes without header (86), tag (16) and delimiter (1). FCM takes 4096.
MOST_PUSH_BYTES = 3993


class Sms(Struct, frozen=True):
    """`to` is an E.164 number with its plus sign."""

    id: str
    to: str
    text: str


class Subscription(Struct, frozen=True):
    """A browser's (RFC 8030, RFC 8291): its push service's URL, its public key (65 bytes) and its secret (16)."""

    endpoint: str
    p256dh: bytes
    auth: bytes


class Push(Struct, Generic[Address], frozen=True):
    """`to` is an FCM registration token (str) or a Subscription. `ttl_seconds`: how long the service may keep it."""

    id: str
    to: Address
    title: str
    body: str
    data: Mapping[str, str]
    ttl_seconds: int


class Gone(ProviderError):
    """The device is not there any more, and will not come back: nothing need be sent to it again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, final=True)


class MessageProvider(Protocol[Outgoing_contra]):
    async def send(self, message: Outgoing_contra, /) -> str | None:
        """The provider's own id of what it took, where it gives one. Raises ProviderError, and Gone."""


def push_payload(title: str, body: str, data: Mapping[str, str]) -> bytes:
    """What a browser's service worker gets."""
    return msgspec.json.encode({"title": title, "body": body, "data": data})


def push_service(endpoint: str) -> str:
    """
    The origin of a subscription's URL, which has been checked (RFC 6454 §6.2: in ASCII, with no port that is the
    scheme's own).
    """
    parts = urlsplit(endpoint)
    host = parts.netloc.partition(":")[0]
    host = f"[{parts.hostname}]" if host.startswith("[") else ascii_domain(host)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")
