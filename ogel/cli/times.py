"""Times as people write and read them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from ogel.kernel.clock import utc_now

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# Nothing is older, and a calendar can be reckoned with.
_MOST_SECONDS = 50 * 365 * 86_400
_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
# From this on, a length of time is told in the next unit.
_UNITS = ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"), (float("inf"), 86_400, "d"))


def moment(value: str) -> datetime:
    """An option's type: `2026-01-31T08:15:30Z`, or how long ago: `90s`, `15m`, `2h`, `7d`, `1w`."""
    if ago := _AGO.fullmatch(value):
        return utc_now() - timedelta(seconds=min(int(ago[1]) * _SECONDS[ago[2]], _MOST_SECONDS))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(
            f"{value!r} is neither a time such as 2026-01-31T08:15:30Z nor an age such as 15m, 2h or 7d"
        )
    return moment


def length(seconds: float) -> str:
    """`43 s`, `5 min`, `3 h`, `12 d`."""
    seconds = abs(seconds)
    for below, unit, name in _UNITS:
        if seconds < below:
            return f"{seconds / unit:.0f} {name}"
    raise AssertionError("no time is infinite")


def milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds * 1000:.0f} ms"


def relative(moment: datetime | None, now: datetime | None = None) -> str:
    """`5 min ago`, `in 43 s`."""
    if moment is None:
        return "-"
    seconds = ((now or utc_now()) - moment).total_seconds()
    if -1 < seconds < 1:
        return "now"
    return f"{length(seconds)} ago" if seconds > 0 else f"in {length(seconds)}"


def absolute(moment: datetime) -> str:
    """UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def both(moment: datetime | None) -> str:
    return "-" if moment is None else f"{absolute(moment)} ({relative(moment)})"
