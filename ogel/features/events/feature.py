"""The manifest of events."""

from __future__ import annotations

from ogel.features.events.routes import EventRoutes
from ogel.features.events.service import EventService
from ogel.runtime.feature import Feature


def events_feature(service: EventService) -> Feature:
    return Feature(name="events", routes=EventRoutes(service).routes())
