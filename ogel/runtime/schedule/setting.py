"""What a setting says about the schedules that features declare: another time, off, or on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ogel.runtime.schedule.schedule import Schedule

ON, OFF = "on", "off"


def as_set(schedule: Schedule, wanted: Mapping[str, str]) -> Schedule:
    """
    `wanted` has a cron, `on` (at the time that is declared) or `off`, by name or for all that begin alike
    (`cleanup.*`); the name counts for more. ValueError when the cron cannot be used.
    """
    said = wanted.get(schedule.name, wanted.get(_all_beside(schedule.name), ""))
    if not said:
        return schedule
    if said.lower() in (ON, OFF):
        return replace(schedule, enabled=said.lower() == ON)
    return replace(schedule, cron=said, enabled=True)


def unknown(wanted: Collection[str], names: Collection[str]) -> list[str]:
    """What is meant for none of the schedules."""
    return sorted({*wanted} - {*names} - {_all_beside(name) for name in names})


def _all_beside(name: str) -> str:
    return f"{name.rpartition('.')[0]}.*"
