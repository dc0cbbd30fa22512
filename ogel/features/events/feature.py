"""The manifest of events."""

from __future__ import annotations

from ogel.features.events.routes import EventRoutes
from ogel.features.events.service import EventService
from ogel.runtime.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def events_feature(service: EventService, retention_days: float) -> Feature:
    return Feature(
        name="events",
        routes=EventRoutes(service).routes(),
        purges=[
            Purge.of_queries(
                "events",
                "events that no delivery needs any more",
                retention_days,
                count=_SQL.count_old,
                bite=_SQL.purge_old,
                after="deliveries",
            )
        ],
    )
