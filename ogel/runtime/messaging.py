"""SMS and push messages as providers get them: the port between features and the adapter of each service."""

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

# The largest payload that fits one record of RFC 8291: 4096 bytes less header (86), tag (16) and delimiter (1). FCM
# takes 4096.
MOST_PUSH_BYTES = 3993


class Sms(Struct, frozen=True):
    """`to` is an E.164 number with its plus sign."""

    id: str
    to: str
    text: str


class Subscription(Struct, frozen=True):
    """
    A browser's push subscription (RFC 8030, RFC 8291): URL of its push service, public key (65 bytes) and auth secret
    (16).
    """

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
    """The device has unsubscribed for good; nothing should be sent to it again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, final=True)


class MessageProvider(Protocol[Outgoing_contra]):
    async def send(self, message: Outgoing_contra, /) -> str | None:
        """Sends a message. Returns the provider's id of it, where there is one. Raises ProviderError, and Gone."""


def push_payload(title: str, body: str, data: Mapping[str, str]) -> bytes:
    """Builds the payload for a browser's service worker."""
    return msgspec.json.encode({"title": title, "body": body, "data": data})


def push_service(endpoint: str) -> str:
    """
    Returns the ASCII origin of a checked subscription URL (RFC 6454 §6.2), without a port that is the scheme's default.
    """
    parts = urlsplit(endpoint)
    host = parts.netloc.partition(":")[0]
    host = f"[{parts.hostname}]" if host.startswith("[") else ascii_domain(host)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")
