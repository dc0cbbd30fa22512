"""The settings of events."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, whole


@dataclass(frozen=True, slots=True)
class EventsSettings:
    max_bytes: int = knob(
        "OGEL_MAX_EVENT_BYTES",
        takes=whole(1024, 1024 * 1024, "bytes"),
        default=256 * 1024,
        meaning="Largest `data` of one event; larger ones are answered 413.",
    )
