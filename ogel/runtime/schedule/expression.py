"""A cron expression without a time zone, evaluated on local times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cronsim import CronSim

_EXPRESSION = re.compile(r"[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4,5}")
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class _Field(NamedTuple):
    """One field. `names` stand for the numbers from `first` on; the field repeats after `round` of them."""

    first: int
    last: int
    round: int
    names: Sequence[str] = ()


# In the order of an expression: minute, hour, day of month, month, day of week (7 is Sunday as well), second.
_FIELDS = (
    _Field(0, 59, 60),
    _Field(0, 23, 24),
    _Field(1, 31, 31),
    _Field(1, 12, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field(0, 7, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
    _Field(0, 59, 60),
)
_RANGE = re.compile(r"([0-9]+|[A-Z]{3})-([0-9]+|[A-Z]{3})(?:/([0-9]+))?")


class Expression:
    """
    Minute, hour, day of month, month, day of week (crontab(5)), and perhaps the second as a sixth; or `@hourly` and
    such. As Debian's cron has it, both days must be true where one of their fields begins with `*`, else one is enough.
    `L` is the last day of a month, `LW` its last working day, `5L` its last Friday, `5#2` its second one. A range may
    go over the end of its field: `22-4/3` is 22, 1 and 4.

    ValueError when it cannot be used. What it raises completes "cron '…' …".
    """

    __slots__ = ("_text", "every_hour", "step")

    def __init__(self, text: str) -> None:
        expression = _NAMED.get(text, text)
        if not _EXPRESSION.fullmatch(expression):
            raise ValueError(
                f"is not five fields like '*/5 3 * * mon' (a sixth is the second), and none of {' '.join(_NAMED)}"
            )
        fields = expression.upper().split(" ")
        self.every_hour = fields[1] == "*"
        self.step = timedelta(seconds=1) if len(fields) == 6 else timedelta(minutes=1)
        self._text = _for_cronsim(fields)

    def after(self, wall: datetime) -> Iterator[datetime]:
        return self._found(wall, back=False)

    def before(self, wall: datetime) -> Iterator[datetime]:
        """Yields the matching times before that one, latest first."""
        return self._found(wall, back=True)

    def least_gap_seconds(self) -> int:
        """Returns a lower bound of the seconds between two ticks, from the second field alone."""
        seconds = sorted(self._from(datetime.fromtimestamp(0, UTC)).seconds)
        return min(
            later - earlier for earlier, later in zip(seconds, [*seconds[1:], seconds[0] + 60], strict=True)
        )

    def _found(self, wall: datetime, back: bool) -> Iterator[datetime]:
        """Yields matching times without end. Raises ValueError when there is none for fifty years."""
        # The step covers whole units, between which nothing matches.
        wall -= timedelta(seconds=wall.second, microseconds=wall.microsecond) % self.step
        yield from self._from(wall, back)
        raise ValueError("cannot be used: it never comes true")

    def _from(self, wall: datetime, back: bool = False) -> CronSim:
        from cronsim import CronSim, CronSimError  # late: printing help does not need it

        try:
            return CronSim(self._text, wall, reverse=back)
        except CronSimError as error:
            raise ValueError(f"cannot be used: {error}") from error


def _for_cronsim(fields: Sequence[str]) -> str:
    """
    Translates for cronsim: the second comes first, last weekdays are `5L` (croniter: `L5`), and no range wraps around.
    """
    minute, hour, day, month, weekday, *second = (
        ",".join(_without_wrapping(term, field) for term in text.split(","))
        for text, field in zip(fields, _FIELDS, strict=False)
    )
    return " ".join([*(second or ["0"]), minute, hour, day, month, re.sub(r"\bL([0-7])\b", r"\1L", weekday)])


def _without_wrapping(term: str, field: _Field) -> str:
    found = _RANGE.fullmatch(term)
    if found is None:
        return term
    start, end = (_number(each, field) for each in found.group(1, 2))
    if start == end:
        return found[1]  # with a step, cronsim would continue to the end of the field
    step = int(found[3] or 1)
    if start < end or not (field.first <= end and start <= field.last and step):
        return term
    length = (end - start) % field.round + 1
    return ",".join(
        str((start - field.first + by) % field.round + field.first) for by in range(0, length, step)
    )


def _number(text: str, field: _Field) -> int:
    """Returns -1 for a name of another field."""
    if text.isdigit():
        return int(text)
    return field.first + field.names.index(text) if text in field.names else -1
