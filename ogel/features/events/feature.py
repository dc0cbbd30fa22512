"""The manifest of events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ogel.features.events.settings import EventsSettings
from ogel.features.webhooks.contract import DELIVERED_EVENTS
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.purge import Purge

if TYPE_CHECKING:
    from ogel.features.events.service import EventService

_SQL = Queries.beside(__name__, delivered_events=DELIVERED_EVENTS)


def build(core: Core, settings: EventsSettings) -> Feature:
    @cache
    def service() -> EventService:
        from ogel.features.events.publisher import Publisher
        from ogel.features.events.service import EventService

        def admit() -> None:
            core.pressure.admit(core.outbox.queues)

        publisher = Publisher(core.database, core.outbox, core.audit, admit, core.registry)
        return EventService(core.database, publisher, core.reserved, settings.max_bytes)

    def routes() -> Sequence[Route]:
        from ogel.features.events.routes import EventRoutes

        return EventRoutes(service()).routes()

    return Feature(
        name="events",
        routes=routes,
        scopes={"events:read": "read events", "events:write": "publish events"},
        purges=[
            Purge.of_walk(
                "events",
                "events that no delivery needs any more",
                core.retention_days,
                count=_SQL.count_old,
                batch=_SQL.purge_old,
                after="deliveries",
            )
        ],
        tables=["event_ids", "events"],
        settings=settings,
    )
