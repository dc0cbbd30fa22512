"""Readings from what this suite measures of itself, for where Railway is not asked: the least that it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from ogel.features.costs.bill import Used
from ogel.features.costs.from_metrics import OF_THE_PROJECT
from ogel.features.costs.metering import in_order, metered, stretches
from ogel.features.costs.money import ZERO, exact, tidy
from ogel.features.costs.period import DAY, calendar_month, midnight
from ogel.features.costs.reading import Day, Reading
from ogel.features.observability.contract import Measured, Measurements
from ogel.runtime.prices.table import GB_BYTES, Resource
from ogel.runtime.railway import Point

ORIGIN = "own measurements"
# Samples are taken every five minutes. Before each window some are read that reach into it.
_SPACING = 300.0
_BEFORE = timedelta(minutes=20)
_WINDOW = timedelta(hours=6)
# What began less than that after the month did began with it.
_LATE = timedelta(hours=1)
_KEPT = 31 * DAY
_CPU, _SENT, _FILES = "process.cpu_seconds", "http.sent_bytes", "storage.bytes"
# What has a size: whose it is, and as what it is billed. A process names its service itself.
_LEVELS: Mapping[str, tuple[str, Resource]] = {
    "process.memory_bytes": ("", "memory"),
    "redis.memory_bytes": ("Redis", "memory"),
    "database.size_bytes": ("Postgres", "volume"),
    _FILES: ("files", "volume"),
}
_UNSEEN = (
    "the memory and CPU of Postgres and Redis, but for what Redis says it uses",
    "what is sent otherwise than as answers of the API: webhooks, mail, backups",
    "what this suite used while no worker of `stats` ran, which takes the samples",
    "whatever else is in the project",
)

# What a day, a service and a resource come to.
_Sums = dict[tuple[date, str, Resource], Decimal]


async def read(
    here: Measurements, project: str, in_bucket: bool, now: datetime, before: Reading | None
) -> Reading:
    """
    Goes on where the reading `before` ended, if that is one of the same month and from here, too. `in_bucket`: files
    are in a bucket, and not on a volume.
    """
    period = calendar_month(now)
    if before is not None and before.origin != ORIGIN:
        before = None
    goes_on = before is not None and before.period == period
    begin = before.read_at if goes_on and before is not None else period.start
    sums, first = await _measured(here, begin, now, in_bucket)
    missing = before.missing if goes_on and before is not None else _UNSEEN
    if not goes_on and first is not None and first - period.start > _LATE:
        missing = [*_UNSEEN, f"what was used before {first:%Y-%m-%d %H:%M} UTC, when measuring began"]
    sent = await here.counted(_SENT, "day", period.start, now)
    day_ago = max(now - DAY, period.start if first is None else first)
    rate, _ = await _measured(here, day_ago, now, in_bucket)
    sent_lately = await here.counted(_SENT, "hour", day_ago, now)
    known = before.used if goes_on and before is not None else ()
    used = _by_service(sums, [each for each in known if each.resource != "egress"])  # which is counted anew
    return Reading(
        project,
        "this suite",
        ORIGIN,
        period,
        now,
        [*used, _egress(sent.values())],
        [*_by_service(rate, ()), _egress(sent_lately.values())],
        day_ago,
        _days(sums, sent, [] if before is None else before.days, now),
        missing,
    )


async def _measured(
    here: Measurements, begin: datetime, end: datetime, in_bucket: bool
) -> tuple[_Sums, datetime | None]:
    """And when the first sample was taken that there is."""
    sums: _Sums = {}
    first: datetime | None = None
    while begin < end:
        until = min(begin + _WINDOW, midnight(begin) + DAY, end)
        samples = await here.samples([*_LEVELS, _CPU], begin - _BEFORE, until)
        first = first or min((each.at for each in samples), default=None)
        _add(sums, samples, begin, until, in_bucket)
        begin = until
    return sums, first


def _add(sums: _Sums, samples: Sequence[Measured], begin: datetime, end: datetime, in_bucket: bool) -> None:
    """Of one day."""
    series: dict[tuple[str, str], list[Measured]] = {}
    for each in samples:
        series.setdefault((each.name, each.labels.get("process", "")), []).append(each)
    day = begin.astimezone(UTC).date()
    for (name, process), measured in series.items():
        service, resource = _billed_as(name, process, in_bucket)
        quantity = _cpu_minutes(measured, begin) if name == _CPU else _gb_minutes(measured, begin, end)
        sums[day, service, resource] = sums.get((day, service, resource), ZERO) + quantity


def _billed_as(name: str, process: str, in_bucket: bool) -> tuple[str, Resource]:
    if name == _CPU:
        return service_of(process), "cpu"
    service, resource = _LEVELS[name]
    if name == _FILES and in_bucket:
        resource = "bucket"
    return service or service_of(process), resource


def service_of(process: str) -> str:
    """`worker-webhooks host:17` is one of worker-webhooks; what does all at once is the API, too."""
    return process.partition(" ")[0].partition(",")[0]


def _gb_minutes(samples: Sequence[Measured], begin: datetime, end: datetime) -> Decimal:
    points = in_order(Point(each.at, each.value / GB_BYTES) for each in samples)
    return exact(metered(stretches(points, end, _SPACING), begin, end).quantity)


def _cpu_minutes(samples: Sequence[Measured], begin: datetime) -> Decimal:
    """A process counts from its start; what it had counted before its first sample is known of none."""
    seconds = ZERO
    for before, after in pairwise(samples):
        if after.at >= begin:
            restarted = after.value < before.value
            seconds += exact(after.value) if restarted else exact(after.value) - exact(before.value)
    return seconds / 60


def _by_service(sums: _Sums, before: Iterable[Used]) -> list[Used]:
    quantities = {(each.service, each.resource): each.quantity for each in before}
    for (_, service, resource), quantity in sums.items():
        quantities[service, resource] = quantities.get((service, resource), ZERO) + quantity
    return [
        Used(service, resource, tidy(quantity), ORIGIN)
        for (service, resource), quantity in quantities.items()
    ]


def _egress(sent_bytes: Iterable[int]) -> Used:
    return Used(OF_THE_PROJECT, "egress", tidy(Decimal(sum(sent_bytes)) / GB_BYTES), ORIGIN)


def _days(sums: _Sums, sent: Mapping[datetime, int], before: Sequence[Day], now: datetime) -> list[Day]:
    """Those before, with what was added; as many as a forecast looks at."""
    days: dict[date, dict[Resource, Decimal]] = {each.day: dict(each.used) for each in before}
    for (day, _, resource), quantity in sums.items():
        of_day = days.setdefault(day, {})
        of_day[resource] = tidy(of_day.get(resource, ZERO) + quantity)
    for at, count in sent.items():
        if (day := at.astimezone(UTC).date()) in days:
            days[day]["egress"] = tidy(Decimal(count) / GB_BYTES)
    oldest = (now - _KEPT).date()
    return [Day(day, days[day]) for day in sorted(days) if day >= oldest]
