"""Publishing and reading events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ogel.features.events.publisher import Publisher
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import FieldError, Invalid, NotFound, TooLarge
from ogel.kernel.event import ID_PATTERN, TYPE_PATTERN, Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.reserved import ReservedTypes

_SQL = Queries.beside(__name__)
_STEP_BYTES = 64 * 1024

EventType = Annotated[
    str, msgspec.Meta(pattern=TYPE_PATTERN, max_length=128, description="Dotted words: `order.created`.")
]

Subject = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=256, pattern=STORABLE_PATTERN, description="What it is about: `order/17`."
    ),
]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`data` is any JSON; receivers get the text as it was sent. Publishing the same `id` again changes nothing."""

    type: EventType
    data: msgspec.Raw
    id: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)] | None = None
    subject: Subject | None = None


class Published(msgspec.Struct, frozen=True):
    """`deliveries` is the number of webhook endpoints that get the event."""

    id: str
    deliveries: int


class StoredEvent(msgspec.Struct, frozen=True):
    id: str
    type: str
    subject: str | None
    data: msgspec.Raw
    deliveries: int
    created_at: datetime


class EventService:
    def __init__(
        self, database: Database, publisher: Publisher, reserved: ReservedTypes, max_event_bytes: int
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._reserved = reserved
        self._max_event_bytes = max_event_bytes

    async def publish(self, caller: Caller, wanted: Sequence[NewEvent], *, batch: bool) -> list[Published]:
        """
        Publishes all events or none, in one transaction. Raises Invalid or TooLarge naming the wrong field:
        `body.type`, or `body[3].data` in a batch.
        """
        now = utc_now()
        events, since = [], 0
        for index, new in enumerate(wanted):
            here = f"body[{index}]" if batch else "body"
            self._reserved.check(new.type, f"{here}.type")
            data = bytes(new.data)
            if (
                since > _STEP_BYTES
            ):  # checking megabytes takes a while; other requests get their turn in between
                await asyncio.sleep(0)
                since = 0
            since += len(data)
            self._check_data(data, f"{here}.data")
            events.append(Event(new.id or new_id("evt"), new.type, data, new.subject, now))
        deliveries = await self._publisher.publish(caller, events)
        return [Published(event.id, deliveries[event.id]) for event in events]

    async def get(self, id: str) -> StoredEvent:
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(_SQL.get_event, {"id": id})
        if not rows:
            raise NotFound(f"No event {id!r}.")
        return _stored(rows[0])

    async def list(
        self, limit: int, after: tuple[datetime, str] | None, type: str | None, subject: str | None
    ) -> list[StoredEvent]:
        parameters = {
            "limit": limit,
            "after_at": after[0] if after else None,
            "after_id": after[1] if after else None,
            "type": type,
            "subject": subject,
        }
        async with self._database.autocommit() as tx:
            return [_stored(row) for row in await tx.tuples(_SQL.list_events, parameters)]

    def _check_data(self, data: bytes, path: str) -> None:
        if len(data) > self._max_event_bytes:
            message = f"has {len(data)} bytes; an event takes {self._max_event_bytes} at most"
            raise TooLarge(f"{path} {message}.", errors=(FieldError(path, message),))
        try:
            # Decoding the body skipped `data`; here all of its JSON is checked.
            msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid.field(path, f"is not sound JSON: {error}") from None


def _stored(row: tuple[Any, ...]) -> StoredEvent:
    id, type, subject, data, deliveries, created_at = row
    return StoredEvent(id, type, subject, msgspec.Raw(data.encode()), deliveries, created_at)
