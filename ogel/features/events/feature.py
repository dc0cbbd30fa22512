"""The manifest of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ogel.features.webhooks.contract import DELIVERED_EVENTS
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.purge import Purge

if TYPE_CHECKING:
    from ogel.features.events.service import EventService

_SQL = Queries.beside(__name__, delivered_events=DELIVERED_EVENTS)


def events_feature(service: Callable[[], EventService], retention_days: float) -> Feature:
    def routes() -> Sequence[Route]:
        from ogel.features.events.routes import EventRoutes

        return EventRoutes(service()).routes()

    return Feature(
        name="events",
        routes=routes,
        purges=[
            Purge.of_walk(
                "events",
                "events that no delivery needs any more",
                retention_days,
                count=_SQL.count_old,
                batch=_SQL.purge_old,
                after="deliveries",
            )
        ],
    )
