"""How much is stored, as samples that alerts are held against, and as the usage metric `storage.bytes`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ogel.features.storage.usage.service import UsageService
from ogel.runtime.alerts import AlertRule, Sample

LATE = "storage.late_seconds"
# Everything is counted no more often than this: alerts ask each minute, and buckets may hold millions.
_COUNT_SECONDS = 240.0
ALERTS = (AlertRule("storage.reaping", "warning", 3600.0, LATE, "storage-reaping.md"),)


class UsageSamples:
    def __init__(self, service: UsageService) -> None:
        self._service = service
        self._counted: Sequence[Sample] = ()
        self._counted_at = -_COUNT_SECONDS
        self._peak = 0

    async def samples(self) -> Sequence[Sample]:
        passing = await self._service.passing()
        if time.monotonic() - self._counted_at >= _COUNT_SECONDS:
            await self._count()
        return [
            *self._counted,
            Sample("storage.pending_bytes", {}, passing.pending_bytes),
            Sample("storage.deleting_bytes", {}, passing.deleting_bytes),
            Sample(LATE, {}, passing.late_seconds),
        ]

    def take_peak(self) -> int:
        """What was counted here since the last call: the number is the whole cluster's, and told by one process."""
        peak, self._peak = self._peak, 0
        return peak

    async def _count(self) -> None:
        buckets = await self._service.buckets()
        bytes, objects = sum(each.bytes for each in buckets), sum(each.objects for each in buckets)
        self._peak, self._counted_at = bytes, time.monotonic()
        self._counted = [Sample("storage.bytes", {}, bytes), Sample("storage.objects", {}, objects)]
