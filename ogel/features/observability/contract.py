"""
What other features may know of observability: the scope for reading metrics, which are needed most during outages; and
what it has measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

METRICS_SCOPE = "metrics:read"


class Measured(Struct, frozen=True):
    """A sample, as `GET /api/resources` has it."""

    name: str
    labels: dict[str, str]
    value: float
    at: datetime


class Measurements(Protocol):
    async def samples(self, names: Sequence[str], since: datetime, until: datetime) -> list[Measured]:
        """Of all labels, oldest first, without those at `until` itself."""

    async def counted(
        self, metric: str, bucket: Literal["hour", "day"], since: datetime, until: datetime
    ) -> Mapping[datetime, int]:
        """A metric of usage by the beginnings of hours or days, of which those count that begin since then."""
