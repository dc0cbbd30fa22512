"""The settings of schedules."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, whole


@dataclass(frozen=True, slots=True)
class SchedulesSettings:
    least_seconds: int = knob(
        "OGEL_SCHEDULE_LEAST_SECONDS",
        takes=whole(1, 60, "seconds"),
        default=60,
        meaning="Between two ticks of a user's schedule; for tests, which cannot wait a minute.",
    )
