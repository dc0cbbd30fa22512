"""Applies OGEL_SCHEDULES to the schedules that features declare: another time, on, or off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from msgspec.structs import replace

from ogel.runtime.schedule.schedule import Schedule

ON, OFF = "on", "off"
_CLOSE = 0.8


def as_set(schedule: Schedule, wanted: Mapping[str, str]) -> Schedule:
    """
    Returns the schedules with the changes in `wanted`, which maps names or prefixes (`cleanup.*`) to a cron expression,
    `on` (at the declared time) or `off`. A full name wins over a prefix. Raises ValueError for an unusable cron
    expression.
    """
    said = wanted.get(schedule.name, wanted.get(_all_beside(schedule.name), ""))
    if not said:
        return schedule
    if said.lower() in (ON, OFF):
        return replace(schedule, enabled=said.lower() == ON)
    return replace(schedule, cron=said, enabled=True)


def unknown(wanted: Collection[str], names: Collection[str]) -> dict[str, str | None]:
    """Returns the entries that match no schedule, with the name that was perhaps meant."""
    known = {*names, *map(_all_beside, names)}
    return {
        name: next(iter(get_close_matches(name, known, n=1, cutoff=_CLOSE)), None)
        for name in sorted({*wanted} - known)
    }


def unusable(schedules: Iterable[Schedule], wanted: Mapping[str, str]) -> list[str]:
    """Returns why entries cannot be applied."""
    reasons = []
    for schedule in schedules:
        try:
            as_set(schedule, wanted)
        except ValueError as error:
            reasons.append(str(error))
    return reasons


def _all_beside(name: str) -> str:
    return f"{name.rpartition('.')[0]}.*"
