"""What services used, from Railway's metrics: by service and resource, and by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec import Struct

from ogel.features.costs.bill import Used
from ogel.features.costs.metering import (
    Known,
    Metered,
    Stretch,
    by_day,
    in_order,
    metered,
    spacing_of,
    stretches,
)
from ogel.features.costs.money import ZERO, exact, tidy
from ogel.features.costs.period import DAY, midnight
from ogel.features.costs.reading import Day
from ogel.runtime.prices.table import Resource
from ogel.runtime.railway import Measurement, Point, Series

ORIGIN = "railway metrics"
BILLED: Mapping[Measurement, Resource] = {
    "MEMORY_USAGE_GB": "memory",
    "CPU_USAGE": "cpu",
    "NETWORK_TX_GB": "egress",
    "DISK_USAGE_GB": "volume",
    "BACKUP_USAGE_GB": "backups",
}
# Whoever it is that has no service.
OF_THE_PROJECT = "(project)"
_SHOWN_ID = 8
# Less than this of a month says nothing about its bill.
_NEGLIGIBLE_MINUTES = 30


class Found(Struct, frozen=True):
    """`missing`: what is not in `used`, a line each; `notes`: what was guessed in it."""

    used: Sequence[Used]
    missing: Sequence[str]
    notes: Sequence[str]


def resource_of(measurement: str) -> Resource | None:
    return next((resource for known, resource in BILLED.items() if known == measurement), None)


def service_name(service_id: str | None, names: Mapping[str, str]) -> str:
    if service_id is None:
        return OF_THE_PROJECT
    return names.get(service_id) or f"deleted {service_id[:_SHOWN_ID]}"


class Metrics:
    """
    Series of one environment, as Railway told them until `until`.

    first  when the first point was taken; None: there is none.
    """

    def __init__(self, series: Iterable[Series], until: datetime, asked_seconds: int) -> None:
        ordered = [(*key, in_order(points)) for key, points in _merged(series).items()]
        spacing = spacing_of([points for _, _, points in ordered], asked_seconds)
        self._until = until
        self._pieces: list[tuple[str | None, Resource, list[Stretch]]] = [
            (
                dict(tags).get("service_id"),
                resource,
                [*stretches(points, until, spacing, resource == "egress")],
            )
            for resource, tags, points in ordered
        ]
        self.first = _first([points for _, _, points in ordered])

    def used(self, names: Mapping[str, str], since: datetime) -> Found:
        """`names` of services that there are, by id."""
        sums: dict[tuple[str, Resource], Metered] = {}
        for service_id, resource, pieces in self._pieces:
            key = service_name(service_id, names), resource
            sums[key] = sums.get(key, Metered()).plus(metered(pieces, since, self._until))
        return Found(
            [
                Used(service, what, tidy(exact(each.quantity)), ORIGIN)
                for (service, what), each in sums.items()
            ],
            _lines(sums, "unknown", "Railway has no figures for {} of it"),
            _lines(sums, "filled", "{} without figures were taken for what is before and after them"),
        )

    def days(self, since: datetime) -> list[Day]:
        """Whole days, from the first that all of is told of: of all services together."""
        if self.first is None:
            return []
        first = max(since, self.first)
        begin = midnight(first) if midnight(first) == first else midnight(first) + DAY
        count = max((self._until - begin) // DAY, 0)
        sums: list[dict[Resource, float]] = [{} for _ in range(count)]
        for _, resource, pieces in self._pieces:
            for of_day, quantity in zip(sums, by_day(pieces, begin, count), strict=True):
                of_day[resource] = of_day.get(resource, 0.0) + quantity
        return [
            Day((begin + place * DAY).date(), {what: tidy(exact(each)) for what, each in of_day.items()})
            for place, of_day in enumerate(sums)
        ]


def together(several: Sequence[Sequence[Day]]) -> list[Day]:
    """Days of several environments as days of the project."""
    by_date: dict[date, dict[Resource, Decimal]] = {}
    for day in (day for days in several for day in days):
        of_day = by_date.setdefault(day.day, {})
        for resource, quantity in day.used.items():
            of_day[resource] = of_day.get(resource, ZERO) + quantity
    return [Day(at, by_date[at]) for at in sorted(by_date)]


def _merged(series: Iterable[Series]) -> Mapping[tuple[Resource, frozenset[tuple[str, str]]], list[Point]]:
    """
    What came in pieces, or twice, as one. Series that differ in a tag are of different things: an old deployment and
    the new one run side by side for a while, and both are billed.
    """
    by_tags: dict[tuple[Resource, frozenset[tuple[str, str]]], list[Point]] = {}
    for each in series:
        resource = resource_of(each.measurement)
        if resource is not None:
            by_tags.setdefault((resource, frozenset(each.tags.items())), []).extend(each.points)
    return by_tags


def _first(series: Iterable[Sequence[Known]]) -> datetime | None:
    first = min((points[0][0] for points in series if points), default=None)
    return None if first is None else datetime.fromtimestamp(first, UTC)


def _lines(sums: Mapping[tuple[str, Resource], Metered], field: str, words: str) -> list[str]:
    """One for each service: of its resources, the one that it is worst with."""
    worst: dict[str, tuple[float, Resource]] = {}
    for (service, resource), each in sums.items():
        worst[service] = max(worst.get(service, (0.0, resource)), (getattr(each, field), resource))
    return [
        f"{service}, {resource}: {words.format(f'{minutes / 60:.1f} h')}"
        for service, (minutes, resource) in worst.items()
        if minutes > _NEGLIGIBLE_MINUTES
    ]
