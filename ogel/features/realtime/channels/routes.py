"""/api/channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ogel.features.realtime.channels.service import (
    MOST_AT_ONCE,
    MOST_BATCH_BYTES,
    ChannelMessage,
    ChannelService,
    History,
    Message,
    Place,
    check_channel,
)
from ogel.features.realtime.channels.store import ChannelRow
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Limit, Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route

READ, WRITE = "realtime:read", "realtime:write"

Batch = Annotated[list[ChannelMessage], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class ChannelQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prefix: Annotated[str, msgspec.Meta(max_length=255)] = ""


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `since`, what was published after that offset, oldest first; otherwise newest first, before `before`."""

    limit: Limit = 25
    since: Offset | None = None
    before: Offset | None = None


class ChannelRoutes:
    def __init__(self, service: ChannelService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", READ, "read"), Access("key", WRITE, "publish")
        all, one = "/api/channels", "/api/channels/{name}"
        return [
            Route("GET", all, self._list, read, "List channels that were published to, by name",
                  query=ChannelQuery, returns=Page[ChannelRow]),
            Route("POST", f"{all}/publish", self._publish_many, write.taking(MOST_BATCH_BYTES),
                  f"Publish to channels, up to {MOST_AT_ONCE} messages at once: all of them or none",
                  body=Batch, returns=list[Place]),
            Route("POST", f"{one}/publish", self._publish, write, "Publish a message to a channel",
                  body=Message, returns=Place),
            Route("GET", f"{one}/history", self._history, read, "What a channel keeps",
                  query=HistoryQuery, returns=History),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, ChannelQuery]) -> Page[ChannelRow]:
        query = call.query
        after = decode_cursor(query.after, str) if query.after else ""
        found = await self._service.list(query.prefix, after, query.limit + 1)
        return page(found, query.limit, lambda each: each.name)

    async def _publish(self, call: Call[Message, Any]) -> Place:
        check_channel(channel := call.path["name"])
        return (await self._service.publish([(channel, call.body)], ["body"]))[0]

    async def _publish_many(self, call: Call[list[ChannelMessage], Any]) -> list[Place]:
        paths = [f"body[{index}]" for index in range(len(call.body))]
        return await self._service.publish([(each.channel, each) for each in call.body], paths)

    async def _history(self, call: Call[Any, HistoryQuery]) -> History:
        query = call.query
        return await self._service.history(call.path["name"], query.since, query.before, query.limit)
