"""What services use, as series, and as what is billed of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import fsum, inf

from msgspec import Struct

from ogel.adapters.railway.transport import Transport, changed
from ogel.kernel.clock import rfc3339
from ogel.runtime.railway import Estimate, Measurement, Point, Series, UsageOf


class _Tags(Struct, rename="camel"):
    service_id: str | None = None
    environment_id: str | None = None
    deployment_id: str | None = None
    volume_id: str | None = None
    region: str | None = None


class _Sample(Struct):
    ts: int
    value: float | None = None


class _Metric(Struct):
    measurement: str
    tags: _Tags
    values: list[_Sample]


class _Metrics(Struct):
    metrics: list[_Metric]


class _Amount(Struct):
    measurement: str
    value: float
    tags: _Tags


class _Usage(Struct):
    usage: list[_Amount]


class _Estimated(Struct, rename="camel"):
    measurement: str
    estimated_value: float
    project_id: str


class _EstimatedUsage(Struct, rename="camel"):
    estimated_usage: list[_Estimated]


async def metrics(
    transport: Transport,
    environment_id: str,
    measurements: Sequence[Measurement],
    since: datetime,
    until: datetime | None,
    service_id: str | None,
    sample_seconds: int,
) -> Sequence[Series]:
    variables = {
        "environmentId": environment_id,
        "serviceId": service_id,
        "measurements": measurements,
        "startDate": rfc3339(since),
        "endDate": rfc3339(until) if until else None,
        "sampleRateSeconds": sample_seconds,
    }
    found = (await transport.call("Metrics", variables, _Metrics)).metrics
    return [
        Series(each.measurement, _tags(each.tags), [_point(value) for value in each.values]) for each in found
    ]


def _tags(tags: _Tags) -> dict[str, str]:
    named = ((name, getattr(tags, name)) for name in tags.__struct_fields__)
    return {name: value for name, value in named if value is not None}


def _point(sample: _Sample) -> Point:
    try:
        return Point(datetime.fromtimestamp(sample.ts, UTC), sample.value)
    except (ValueError, OverflowError, OSError):
        raise changed("metrics.values.ts", "no time in seconds") from None


def _sum(values: Iterable[float]) -> float:
    """Of more than there is anywhere, infinity: whoever reads it says that it cannot be."""
    try:
        return fsum(values)
    except OverflowError:
        return inf


async def usage(
    transport: Transport,
    project_id: str,
    measurements: Sequence[Measurement],
    since: datetime,
    until: datetime,
) -> Sequence[UsageOf]:
    """Added up: there may be a row for each part of the time."""
    variables = {
        "projectId": project_id,
        "measurements": measurements,
        "startDate": rfc3339(since),
        "endDate": rfc3339(until),
    }
    rows: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for each in (await transport.call("Usage", variables, _Usage)).usage:
        rows[each.measurement, each.tags.service_id].append(each.value)
    return [UsageOf(measurement, service, _sum(values)) for (measurement, service), values in rows.items()]


async def estimated_usage(
    transport: Transport, project_id: str, measurements: Sequence[Measurement]
) -> Sequence[Estimate]:
    variables = {"projectId": project_id, "measurements": measurements}
    rows: dict[str, list[float]] = defaultdict(list)
    for each in (await transport.call("EstimatedUsage", variables, _EstimatedUsage)).estimated_usage:
        if each.project_id == project_id:
            rows[each.measurement].append(each.estimated_value)
    return [Estimate(measurement, _sum(values)) for measurement, values in rows.items()]
