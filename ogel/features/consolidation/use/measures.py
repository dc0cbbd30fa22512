"""What a service consumes: its metrics over the days that are looked at, and what that costs in a month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from ogel.runtime.prices.table import PriceTable, Resource
from ogel.runtime.railway import Measurement, Point, Series, Volume

MEASUREMENTS: Sequence[Measurement] = ("CPU_USAGE", "MEMORY_USAGE_GB", "NETWORK_TX_GB", "DISK_USAGE_GB")
SAMPLE = timedelta(hours=1)
_MONTH = timedelta(days=30)
_MB = 1024


class Measures(Struct, frozen=True):
    """
    Averages since the service was first seen, with what it did not run as nothing, because that costs nothing; and what
    is sent to the public network in a month at this rate. None: not measured.
    """

    memory_gb: float | None = None
    cpu: float | None = None
    egress_gb: float | None = None
    disk_gb: float | None = None


def measures_of(series: Iterable[Series], volumes: Sequence[Volume], now: datetime) -> Mapping[str, Measures]:
    """By the id of the service."""
    points: dict[str, dict[str, list[Point]]] = {}
    for each in series:
        id = each.tags.get("service_id")
        if id is not None:
            points.setdefault(id, {}).setdefault(each.measurement, []).extend(each.points)
    disks: dict[str, float] = {}
    for volume in volumes:
        if volume.service_id is not None and volume.used_mb is not None:
            disks[volume.service_id] = disks.get(volume.service_id, 0.0) + volume.used_mb / _MB
    return {id: _measures(points.get(id, {}), disks.get(id), now) for id in {*points, *disks}}


def monthly(measures: Measures, prices: PriceTable) -> float | None:
    """Dollars. None where nothing was measured."""
    amounts: Mapping[Resource, float | None] = {
        "memory": measures.memory_gb,
        "cpu": measures.cpu,
        "egress": measures.egress_gb,
        "volume": measures.disk_gb,
    }
    known = [
        prices.a_month(resource, Decimal(str(amount)))
        for resource, amount in amounts.items()
        if amount is not None
    ]
    return round(float(sum(known)), 2) if known else None


def _measures(points: Mapping[str, Sequence[Point]], disk: float | None, now: datetime) -> Measures:
    sent = _average(points.get("NETWORK_TX_GB"), now)
    measured = _average(points.get("DISK_USAGE_GB"), now)
    return Measures(
        memory_gb=_average(points.get("MEMORY_USAGE_GB"), now),
        cpu=_average(points.get("CPU_USAGE"), now),
        egress_gb=None if sent is None else sent * (_MONTH / SAMPLE),
        disk_gb=disk if disk is not None else measured,
    )


def _average(points: Sequence[Point] | None, now: datetime) -> float | None:
    """Of all hours since the first point; a point without a value is left out, as one that nobody knows."""
    if not points:
        return None
    values = [each.value for each in points if each.value is not None]
    unknown = len(points) - len(values)
    hours = max(len(points), round((now - min(each.at for each in points)) / SAMPLE)) - unknown
    return sum(values) / hours if values else None
