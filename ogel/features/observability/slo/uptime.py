"""
Uptime by the minute. A minute is up when a process that serves the API was well in it; there is a row for each hour
with a bit for each minute. What nobody noted is down, because whoever is down notes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.http.gate import Maintenance
from ogel.runtime.http.health import Checkup

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
_HOUR = timedelta(hours=1)
# A minute that began badly may become one in which the API was well.
AGAIN_SECONDS = 15.0
# What a check may take at most, its note included: the probes have shorter limits of their own.
LOOK_SECONDS = 10.0


class Hour(Struct, frozen=True):
    """Of each 60 minutes, the first one first: "1" where it was so."""

    hour: datetime
    up: str
    maintenance: str


_NOTHING = Hour(datetime.min.replace(tzinfo=UTC), "", "")


class Minutes(Struct, frozen=True):
    """How many minutes of a window count, and in how many of them the API was not up."""

    total: int
    down: int


class UptimeWatch:
    """Of a process that serves the API."""

    def __init__(self, database: Database, checkup: Checkup, maintenance: Callable[[], Maintenance]) -> None:
        self._database = database
        self._checkup = checkup
        self._maintenance = maintenance

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            well = await self._look()
            left = 60 - utc_now().timestamp() % 60
            with suppress(TimeoutError):
                async with asyncio.timeout(left if well else min(left, AGAIN_SECONDS)):
                    await stop.wait()

    async def _look(self) -> bool:
        """Notes the minute if the API is well. Otherwise there would be nowhere to note it."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                if not self._checkup.able(await self._checkup.results()):
                    return False
                notice = await self._maintenance().notice()
                async with self._database.autocommit() as tx:
                    await tx.execute(_SQL.note, {"at": utc_now(), "maintenance": notice is not None})
        except Exception as error:  # noqa: BLE001 - whatever it is, the API is not well, and may be soon
            log.warning("uptime.not_noted", error=str(error) or type(error).__name__)
            return False
        return True


def minutes_of(hours: Mapping[datetime, Hour], begin: datetime, now: datetime) -> Minutes:
    """
    From `begin`, or from the first minute ever noted, to the last whole minute. Minutes of maintenance do not count.
    """
    first = min(hours, default=None)
    if first is None:
        return Minutes(0, 0)
    noted = hours[first].up.find("1")
    begin = max(begin, first + timedelta(minutes=max(0, noted))).astimezone(UTC)
    end = now.astimezone(UTC).replace(second=0, microsecond=0)
    total = down = 0
    hour = begin.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        row = hours.get(hour, _NOTHING)
        since = begin.minute if begin > hour else 0
        until = end.minute if end < hour + _HOUR else 60
        counting = _bits("1" * (until - since) + "0" * (60 - until)) & ~_bits(row.maintenance)
        total += counting.bit_count()
        down += (counting & ~_bits(row.up)).bit_count()
        hour += _HOUR
    return Minutes(total, down)


def _bits(text: str) -> int:
    return int(text or "0", 2)
