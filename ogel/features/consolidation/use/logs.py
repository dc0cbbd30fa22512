"""Reads the logs of the days that are looked at, the newest lines of each: Railway keeps them for a week at least."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.runtime.railway import Deployment, HttpLogLine, Instance, LogLine, Railway

MAX_LINES = 5000
# A service that is deployed often has its requests in the logs of many deployments.
MAX_DEPLOYMENTS = 5
_LISTED = 20
_NEVER_RAN = ("BUILDING", "FAILED", "INITIALIZING", "NEEDS_APPROVAL", "QUEUED", "SKIPPED", "WAITING")


class Logs(Struct, frozen=True):
    """None: not read. `*_complete`: back to the beginning of the days that are looked at."""

    edge: Sequence[HttpLogLine] | None = None
    edge_complete: bool = True
    own: Sequence[LogLine] | None = None
    own_complete: bool = True


class LogReader:
    """Raises RailwayError."""

    def __init__(
        self, railway: Railway, project_id: str, environment_id: str, since: datetime, until: datetime
    ) -> None:
        self._railway = railway
        self._project_id = project_id
        self._environment_id = environment_id
        self._since = since
        self._until = until

    async def edge(self, instance: Instance) -> tuple[Sequence[HttpLogLine], bool]:
        """Requests by public names, to all deployments that ran in these days; and whether these are all."""
        deployments, complete = await self._running(instance)
        lines: list[HttpLogLine] = []
        for each in deployments:
            found = await self._railway.http_logs(
                each.id, since=self._since, until=self._until, limit=MAX_LINES
            )
            complete = complete and len(found) < MAX_LINES
            lines += found
        return lines, complete

    async def own(self, instance: Instance) -> tuple[Sequence[LogLine], bool]:
        found = await self._railway.logs(
            self._environment_id,
            since=self._since,
            until=self._until,
            filter=f"@service:{instance.service_id}",
            limit=MAX_LINES,
        )
        own = [each for each in found if each.service_id in (None, instance.service_id)]
        return own, len(found) < MAX_LINES

    async def _running(self, instance: Instance) -> tuple[Sequence[Deployment], bool]:
        """Newest first, back to the one that ran when these days began."""
        listed = await self._railway.deployments(
            self._project_id, self._environment_id, instance.service_id, limit=_LISTED
        )
        ran = [each for each in listed if each.status not in _NEVER_RAN]
        newest_first = sorted(ran, key=lambda each: each.created_at, reverse=True)
        for count, each in enumerate(newest_first[:MAX_DEPLOYMENTS], 1):
            if each.created_at <= self._since:
                return newest_first[:count], True
        return newest_first[:MAX_DEPLOYMENTS], len(newest_first) <= MAX_DEPLOYMENTS and len(listed) < _LISTED
