"""What a setting says about the schedules that features declare: another time, off, or on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from ogel.runtime.schedule.schedule import Schedule

ON, OFF = "on", "off"
_CLOSE = 0.8


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


def unknown(wanted: Collection[str], names: Collection[str]) -> dict[str, str | None]:
    """What is meant for none of the schedules, and for which it perhaps is."""
    known = {*names, *map(_all_beside, names)}
    return {
        name: next(iter(get_close_matches(name, known, n=1, cutoff=_CLOSE)), None)
        for name in sorted({*wanted} - known)
    }


def unusable(schedules: Iterable[Schedule], wanted: Mapping[str, str]) -> list[str]:
    """Why some cannot be as they are wanted."""
    reasons = []
    for schedule in schedules:
        try:
            as_set(schedule, wanted)
        except ValueError as error:
            reasons.append(str(error))
    return reasons


def _all_beside(name: str) -> str:
    return f"{name.rpartition('.')[0]}.*"
