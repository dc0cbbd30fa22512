"""What services used, from Railway's metrics: by service and resource, and by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ogel.features.costs.bill import Used
from ogel.features.costs.metering import Metered, by_day, merged, metered, spacing_of
from ogel.features.costs.money import ZERO, tidy
from ogel.features.costs.period import DAY, midnight
from ogel.features.costs.prices import Resource
from ogel.features.costs.reading import Day
from ogel.runtime.railway import Measurement, Series

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


def resource_of(measurement: str) -> Resource | None:
    return next((resource for known, resource in BILLED.items() if known == measurement), None)


class Found(Struct, frozen=True):
    """`missing`: what is not in `used`, a line each; `notes`: what was guessed in it."""

    used: Sequence[Used]
    missing: Sequence[str]
    notes: Sequence[str]


def service_name(service_id: str | None, names: Mapping[str, str]) -> str:
    if service_id is None:
        return OF_THE_PROJECT
    return names.get(service_id) or f"deleted {service_id[:_SHOWN_ID]}"


def used_of(
    series: Iterable[Series], names: Mapping[str, str], since: datetime, until: datetime, asked_seconds: int
) -> Found:
    """`names` of services that there are, by id."""
    sums: dict[tuple[str, Resource], Metered] = {}
    pieces = merged(series)
    spacing = spacing_of(pieces, asked_seconds)
    for each in pieces:
        resource = resource_of(each.measurement)
        if resource is None:
            continue
        found = metered(each.points, since, until, spacing, amounts=resource == "egress")
        key = service_name(each.tags.get("service_id"), names), resource
        sums[key] = sums.get(key, Metered()).plus(found)
    return Found(
        [Used(service, resource, tidy(each.quantity), ORIGIN) for (service, resource), each in sums.items()],
        _lines(sums, "unknown", "Railway has no figures for {} of it"),
        _lines(sums, "filled", "{} without figures were taken for what is before and after them"),
    )


def of_days(series: Iterable[Series], since: datetime, until: datetime, asked_seconds: int) -> list[Day]:
    """Whole days, from the first that all of is told of: of all services together."""
    pieces = merged(series)
    first = max(since, min((point.at for each in pieces for point in each.points), default=until))
    begin = midnight(first) if midnight(first) == first else midnight(first) + DAY
    count = max((until - begin) // DAY, 0)
    sums: list[dict[Resource, Decimal]] = [{} for _ in range(count)]
    spacing = spacing_of(pieces, asked_seconds)
    for each in pieces:
        resource = resource_of(each.measurement)
        if resource is not None:
            quantities = by_day(each.points, begin, count, spacing, amounts=resource == "egress")
            for of_day, quantity in zip(sums, quantities, strict=True):
                of_day[resource] = of_day.get(resource, ZERO) + quantity
    return [
        Day((begin + place * DAY).date(), {resource: tidy(each) for resource, each in of_day.items()})
        for place, of_day in enumerate(sums)
    ]


def _lines(sums: Mapping[tuple[str, Resource], Metered], field: str, words: str) -> list[str]:
    return [
        f"{service}, {resource}: {words.format(_length(minutes))}"
        for (service, resource), each in sums.items()
        if (minutes := getattr(each, field)) > _NEGLIGIBLE_MINUTES
    ]


def _length(minutes: Decimal) -> str:
    return f"{minutes / 60:.1f} h"
