"""What a service consumes: averages of its metrics over the days that are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ogel.runtime.railway import Measurement, Series, Volume

MEASUREMENTS: Sequence[Measurement] = (
    "CPU_USAGE",
    "MEMORY_USAGE_GB",
    "NETWORK_TX_GB",
    "NETWORK_RX_GB",
    "DISK_USAGE_GB",
)
_DAYS_OF_A_MONTH = 30.0


class Measures(Struct, frozen=True):
    """
    Averages, and of the network what went and came in a month at this rate, over the public network alone. None: not
    measured.
    """

    memory_gb: float | None = None
    cpu: float | None = None
    egress_gb: float | None = None
    ingress_gb: float | None = None
    disk_gb: float | None = None


def measures_of(series: Iterable[Series], days: float, volumes: Sequence[Volume]) -> Mapping[str, Measures]:
    """By the id of the service."""
    values: dict[str, dict[str, list[float]]] = {}
    for each in series:
        id = each.tags.get("service_id")
        if id is not None:
            known = [point.value for point in each.points if point.value is not None]
            values.setdefault(id, {}).setdefault(each.measurement, []).extend(known)
    disks: dict[str, float] = {}
    for volume in volumes:
        if volume.service_id is not None and volume.used_mb is not None:
            disks[volume.service_id] = disks.get(volume.service_id, 0.0) + volume.used_mb / 1000
    return {id: _measures(values.get(id, {}), days, disks.get(id)) for id in {*values, *disks}}


def _measures(values: Mapping[str, Sequence[float]], days: float, disk: float | None) -> Measures:
    sent, received = values.get("NETWORK_TX_GB"), values.get("NETWORK_RX_GB")
    monthly = _DAYS_OF_A_MONTH / days
    measured = _average(values.get("DISK_USAGE_GB"))
    return Measures(
        memory_gb=_average(values.get("MEMORY_USAGE_GB")),
        cpu=_average(values.get("CPU_USAGE")),
        egress_gb=sum(sent) * monthly if sent else None,
        ingress_gb=sum(received) * monthly if received else None,
        disk_gb=disk if disk is not None else measured,
    )


def _average(values: Sequence[float] | None) -> float | None:
    return sum(values) / len(values) if values else None
