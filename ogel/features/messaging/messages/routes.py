"""/api/messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec

from ogel.features.messaging.messages.message import (
    AcceptedMessages,
    Channel,
    Message,
    MessageStatus,
    MessageWithAttempts,
    NewMessage,
)
from ogel.features.messaging.messages.service import MessageService
from ogel.kernel.errors import NotFound
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route


class MessageQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Channel | None = None
    status: MessageStatus | None = None
    to: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=STORABLE_PATTERN)] | None = None


class VapidPublicKey(msgspec.Struct, frozen=True):
    """For `pushManager.subscribe({applicationServerKey})`."""

    public_key: str


class MessageRoutes:
    def __init__(self, service: MessageService, vapid_public_key: Callable[[], str] | None) -> None:
        self._service = service
        self._vapid_public_key = vapid_public_key

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "messaging:read", "read"), Access("key", "messaging:write", "write")
        publish = Access("key", "messaging:write", "publish")
        one = "/api/messages/{id}"
        return [
            Route("POST", "/api/messages", self._send, publish.audited("message.send"),
                  "Send a text to numbers, or a push to devices", body=NewMessage, returns=AcceptedMessages,
                  status=202, idempotent=True),
            Route("GET", "/api/messages", self._list, read, "List messages, newest first",
                  query=MessageQuery, returns=Page[Message]),
            Route("GET", "/api/messages/vapid-public-key", self._public_key, OPEN,
                  "What a browser needs to subscribe; open to everyone", returns=VapidPublicKey),
            Route("GET", one, self._get, read, "One message with its attempts", returns=MessageWithAttempts),
            Route("POST", one + "/retry", self._retry, write.audited("message.retry"),
                  "Try a message again that is queued or failed", returns=Message, status=202),
        ]  # fmt: skip

    async def _send(self, call: Call[NewMessage, Any]) -> AcceptedMessages:
        return await self._service.send(call.caller, call.body, call.idempotency_key)

    async def _list(self, call: Call[Any, MessageQuery]) -> Page[Message]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda message: message.id)

    async def _public_key(self, call: Call[Any, Any]) -> VapidPublicKey:
        if self._vapid_public_key is None:
            raise NotFound("Web Push is not set up: see OGEL_VAPID_PRIVATE_KEY.")
        return VapidPublicKey(self._vapid_public_key())

    async def _get(self, call: Call[Any, Any]) -> MessageWithAttempts:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> Message:
        return await self._service.retry(call.caller, call.path["id"])
