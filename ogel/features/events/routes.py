"""POST and GET /api/events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ogel.features.events.service import EventService, EventType, NewEvent, Published, StoredEvent, Subject
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Items, Route

MOST_EVENTS = 500
# The largest `data` that OGEL_MAX_EVENT_BYTES can allow, as JSON, with room for the other fields.
MOST_EVENT_BYTES = 1024 * 1024 + 16 * 1024
Batch = Annotated[list[NewEvent], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)]


class EventQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: EventType | None = None
    subject: Subject | None = None


class EventRoutes:
    def __init__(self, service: EventService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                "/api/events",
                self._publish,
                access=Access("key", "events:write", "publish").audited("event.publish").taking(None),
                summary=f"Publish one event, or an array of up to {MOST_EVENTS}",
                body=NewEvent | Batch,
                items=Items(NewEvent, MOST_EVENTS, MOST_EVENT_BYTES),
                returns=Published | list[Published],
                status=202,
            ),
            Route(
                "GET",
                "/api/events",
                self._list,
                access=Access("key", "events:read", "read"),
                summary="List events, newest first",
                query=EventQuery,
                returns=Page[StoredEvent],
            ),
            Route(
                "GET",
                "/api/events/{id}",
                self._get,
                access=Access("key", "events:read", "read"),
                summary="One event",
                returns=StoredEvent,
            ),
        ]

    async def _publish(self, call: Call[NewEvent | list[NewEvent], Any]) -> Published | list[Published]:
        if isinstance(call.body, list):
            return await self._service.publish(call.caller, call.body, batch=True)
        return (await self._service.publish(call.caller, [call.body], batch=False))[0]

    async def _list(self, call: Call[Any, EventQuery]) -> Page[StoredEvent]:
        query = call.query
        after = decode_cursor(query.after, tuple[datetime, str]) if query.after else None
        events = await self._service.list(query.limit + 1, after, query.type, query.subject)
        return page(events, query.limit, lambda event: (event.created_at, event.id))

    async def _get(self, call: Call[Any, Any]) -> StoredEvent:
        return await self._service.get(call.path["id"])
