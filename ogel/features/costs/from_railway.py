"""Readings from Railway: its usage, or its metrics where that is not to be had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct

from ogel.features.costs.bill import Used
from ogel.features.costs.from_metrics import BILLED, Found, Metrics, resource_of, service_name, together
from ogel.features.costs.from_metrics import ORIGIN as METRICS
from ogel.features.costs.money import ZERO, exact, measured, tidy
from ogel.features.costs.period import DAY, Period, calendar_month, minutes
from ogel.features.costs.reading import Day, Reading, Workspace
from ogel.runtime.prices.table import GB_BYTES, Resource
from ogel.runtime.railway import Bucket, Cause, Measurement, Project, Railway, RailwayError, Series, UsageOf

USAGE = "railway usage"
BUCKETS = "railway bucket size"
# Metrics are kept for so long.
KEPT = timedelta(days=30)
_SAMPLE_SECONDS = 3600
# Environments of pull requests may be many, and each is a request.
_MOST_ENVIRONMENTS = 20
# A project that runs has these.
_ALWAYS: tuple[Measurement, ...] = ("MEMORY_USAGE_GB", "CPU_USAGE")
# Whoever hears one of these hears it of every request.
_HOPELESS = ("no_token", "bad_token", "limited")
_ASKED = tuple(BILLED)


async def read(railway: Railway, project_id: str, now: datetime) -> Reading:
    """
    Eight requests, and two for each environment. What cannot be had is named in the reading. Raises RailwayError where
    nothing can.
    """
    return await _Reader(railway, await railway.project(project_id), now).read()


class _Told(Struct, frozen=True):
    """What the metrics of an environment come to: in the period, in the last 24 hours, and day by day."""

    found: Found
    lately: Sequence[Used]
    days: Sequence[Day]
    first: datetime | None


def _told(series: Sequence[Series], names: Mapping[str, str], start: datetime, now: datetime) -> _Told:
    metrics = Metrics(series, now, _SAMPLE_SECONDS)
    lately = metrics.used(names, now - DAY).used
    return _Told(metrics.used(names, start), lately, metrics.days(now - KEPT), metrics.first)


class _Reader:
    """Reads once. What it cannot have is in `_missing` if the bill lacks it, and otherwise in `_notes`."""

    def __init__(self, railway: Railway, project: Project, now: datetime) -> None:
        self._railway = railway
        self._project = project
        self._now = now
        self._names = {service.id: service.name for service in project.services}
        self._missing: list[str] = []
        self._notes: list[str] = []

    async def read(self) -> Reading:
        if (await self._railway.scope()).kind == "project":
            self._miss("other environments, if there are any: RAILWAY_TOKEN is for one")
        period, workspace = await self._billing()
        day_ago = self._now - DAY
        used = await self._usage(period.start, "usage")
        told, without = await self._metrics(period.start)
        rate = None
        if used is None:
            origin, used = METRICS, self._from_metrics(told, without, period.start)
        else:
            origin = USAGE
            self._notes += [f"days are without {each}" for each in without]
            self._look_for(used)
            rate = await self._usage(day_ago, "usage of the last 24 hours")
        if rate is None:
            rate = [used for each in told for used in each.lately]
        first = min((each.first for each in told if each.first is not None), default=day_ago)
        estimated = await self._estimated()
        self._name_unmeasured_buckets()
        return Reading(
            self._project.id,
            self._project.name,
            origin,
            period,
            self._now,
            [*used, *self._buckets(period.start)],
            [*rate, *self._buckets(day_ago)],
            max(day_ago, first),
            self._with_buckets(together([each.days for each in told])),
            self._missing,
            self._notes,
            estimated,
            workspace,
        )

    async def _billing(self) -> tuple[Period, Workspace | None]:
        """The calendar's month where Railway does not say which is billed."""
        calendar = calendar_month(self._now)
        if self._project.workspace_id is None:
            self._notes.append("the billing period is not told: a month of the calendar is taken for it")
            return calendar, None
        try:
            billing = await self._railway.billing(self._project.workspace_id)
        except RailwayError as error:
            _raise_if_hopeless(error, "away")
            self._notes.append(f"a month of the calendar is taken for the billing period: {error}")
            return calendar, None
        workspace = Workspace(
            exact(billing.current_usage),
            None if billing.soft_limit is None else exact(billing.soft_limit),
            None if billing.hard_limit is None else exact(billing.hard_limit),
        )
        if not billing.period_start <= self._now < billing.period_end:
            self._notes.append(
                "the billing period that Railway tells is over: a month of the calendar is taken"
            )
            return calendar, workspace
        return Period(billing.period_start, billing.period_end), workspace

    async def _usage(self, since: datetime, what: str) -> list[Used] | None:
        """None where Railway does not tell, for which there are metrics."""
        try:
            told = await self._railway.usage(self._project.id, _ASKED, since=since, until=self._now)
        except RailwayError as error:
            _raise_if_hopeless(error, "away")
            self._notes.append(f"metrics are taken for {what}: {error}")
            return None
        return [used for each in told if (used := self._used(each)) is not None]

    def _used(self, told: UsageOf) -> Used | None:
        resource = resource_of(told.measurement)
        service = service_name(told.service_id, self._names)
        quantity = measured(told.value)
        if quantity is None:
            self._miss(f"{service}, {resource or told.measurement}: Railway says {told.value}")
            return None
        if resource is None:
            if quantity:
                self._miss(f"{service}: {told.measurement} is billed, and has no price in this version")
            return None
        return Used(service, resource, tidy(quantity), USAGE)

    def _look_for(self, used: Sequence[Used]) -> None:
        """What there must be, and nobody told."""
        told = {each.resource for each in used}
        expected = list(_ALWAYS) if self._names else []
        expected += ["DISK_USAGE_GB"] if any(volume.used_mb for volume in self._project.volumes) else []
        for measurement in expected:
            if BILLED[measurement] not in told:
                self._miss(f"{BILLED[measurement]}: Railway tells nothing of any service")

    def _miss(self, line: str) -> None:
        if line not in self._missing:
            self._missing.append(line)

    async def _metrics(self, start: datetime) -> tuple[list[_Told], list[str]]:
        """Of all environments; and a line for each that is not in it."""
        told: list[_Told] = []
        without: list[str] = []
        for environment in self._project.environments[:_MOST_ENVIRONMENTS]:
            try:
                series = await self._railway.metrics(
                    environment.id,
                    _ASKED,
                    since=self._now - KEPT,
                    until=self._now,
                    sample_seconds=_SAMPLE_SECONDS,
                )
            except RailwayError as error:
                _raise_if_hopeless(error)
                without.append(f"the environment {environment.name}: {error}")
                if error.cause == "away":  # who waits for the others waits in vain
                    without.append("environments after that")
                    break
                continue
            # Tens of thousands of points: not on the event loop, and not those of all environments at once.
            told.append(await asyncio.to_thread(_told, series, self._names, start, self._now))
        if left := self._project.environments[_MOST_ENVIRONMENTS:]:
            without.append(f"{len(left)} more environments: no more than {_MOST_ENVIRONMENTS} are asked for")
        return told, without

    def _from_metrics(self, told: Sequence[_Told], without: Sequence[str], start: datetime) -> list[Used]:
        self._missing += without
        for each in told:
            self._missing += each.found.missing
            self._notes += each.found.notes
        self._miss("services that are deleted, if metrics have forgotten them")
        if start < self._now - KEPT:
            self._miss("the first day of the period: metrics are kept for 30 days")
        return [used for each in told for used in each.found.used]

    def _buckets(self, since: datetime) -> list[Used]:
        """Railway tells how large they are now; that they had that size all the time is what can be said."""
        span = minutes(self._now - since)
        return [
            Used(f"{bucket.name} (bucket)", "bucket", tidy(size * span), BUCKETS)
            for bucket in self._project.buckets
            if (size := _whole_gb(bucket)) is not None
        ]

    def _with_buckets(self, days: Sequence[Day]) -> list[Day]:
        size = sum((each.quantity for each in self._buckets(self._now - DAY)), ZERO)
        return [Day(each.day, {**each.used, "bucket": size}) for each in days] if size else list(days)

    def _name_unmeasured_buckets(self) -> None:
        for bucket in self._project.buckets:
            if _whole_gb(bucket) is None:
                self._miss(f"{bucket.name} (bucket): Railway does not say how large it is")

    async def _estimated(self) -> Mapping[Resource, Decimal] | None:
        try:
            told = await self._railway.estimated_usage(self._project.id, _ASKED)
        except RailwayError as error:
            _raise_if_hopeless(error)
            self._notes.append(f"what Railway expects is not told: {error}")
            return None
        expected: dict[Resource, Decimal] = {}
        for each in told:
            resource, value = resource_of(each.measurement), measured(each.value)
            if value is None or (resource is None and value):
                self._notes.append(f"what Railway expects is not told: {each.measurement} is {each.value}")
                return None
            if resource is not None:
                expected[resource] = expected.get(resource, ZERO) + value
        return expected


def _raise_if_hopeless(error: RailwayError, *others: Cause) -> None:
    if error.cause in (*_HOPELESS, *others):
        raise error


def _whole_gb(bucket: Bucket) -> Decimal | None:
    """Its size, as it is billed."""
    size = None if bucket.size_bytes is None else measured(bucket.size_bytes)
    return None if size is None else (size / GB_BYTES).to_integral_value(ROUND_CEILING)
