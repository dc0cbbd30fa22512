"""Logs: of the processes, and of requests as Railway's edge saw them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from ogel.adapters.railway.transport import Moment, Transport
from ogel.kernel.clock import rfc3339, utc_now
from ogel.runtime.railway import HttpLogLine, LogLine

# Railway tells no more at once.
MOST_AT_ONCE = 5000
MOST_PAGES = 20


class _Line(Protocol):
    timestamp: Moment

    @property
    def key(self) -> Hashable: ...


class _Tags(Struct, rename="camel"):
    service_id: str | None = None
    deployment_id: str | None = None


class _Log(Struct):
    timestamp: Moment
    message: str
    severity: str | None = None
    tags: _Tags | None = None

    @property
    def key(self) -> Hashable:
        tags = self.tags or _Tags()
        return self.timestamp, tags.deployment_id, self.message


class _Logs(Struct, rename="camel"):
    environment_logs: list[_Log]


class _HttpLog(Struct, rename="camel"):
    timestamp: Moment
    method: str
    path: str
    host: str
    http_status: int
    total_duration: float
    request_id: str | None = None
    tx_bytes: int | None = None
    rx_bytes: int | None = None

    @property
    def key(self) -> Hashable:
        return self.timestamp, self.request_id, self.path


class _HttpLogs(Struct, rename="camel"):
    http_logs: list[_HttpLog]


Line = TypeVar("Line", bound=_Line)


async def logs(
    transport: Transport,
    environment_id: str,
    since: datetime,
    until: datetime | None,
    filter: str,
    limit: int,
) -> Sequence[LogLine]:
    async def before(window: Mapping[str, Any]) -> Sequence[_Log]:
        variables = {"environmentId": environment_id, "filter": filter or None, **window}
        return (await transport.call("EnvironmentLogs", variables, _Logs)).environment_logs

    found = await _newest(before, since, until, limit)
    return [
        LogLine(each.timestamp, each.message, each.severity, tags.service_id, tags.deployment_id)
        for each in found
        for tags in [each.tags or _Tags()]
    ]


async def http_logs(
    transport: Transport,
    deployment_id: str,
    since: datetime,
    until: datetime | None,
    filter: str,
    limit: int,
) -> Sequence[HttpLogLine]:
    async def before(window: Mapping[str, Any]) -> Sequence[_HttpLog]:
        variables = {"deploymentId": deployment_id, "filter": filter or None, **window}
        return (await transport.call("HttpLogs", variables, _HttpLogs)).http_logs

    found = await _newest(before, since, until, limit)
    return [
        HttpLogLine(
            each.timestamp,
            each.method,
            each.path,
            each.host,
            each.http_status,
            each.total_duration,
            each.tx_bytes,
            each.rx_bytes,
        )
        for each in found
    ]


async def _newest(
    before: Callable[[Mapping[str, Any]], Awaitable[Sequence[Line]]],
    since: datetime,
    until: datetime | None,
    limit: int,
) -> list[Line]:
    """
    Back from the end of the time, as many lines at once as Railway tells. The next ones are asked for from the oldest
    line on, which then comes again.
    """
    anchor = end = until or utc_now()
    found: dict[Hashable, Line] = {}
    for _ in range(MOST_PAGES):
        wanted = min(limit - len(found) + 1, MOST_AT_ONCE)
        window = {"beforeDate": rfc3339(since), "anchorDate": rfc3339(anchor), "beforeLimit": wanted}
        lines = await before(window)
        known = len(found)
        found |= {line.key: line for line in lines if since <= line.timestamp <= end}
        if len(found) >= limit or len(lines) < wanted or len(found) == known:
            break
        anchor = min(line.timestamp for line in lines)
    return sorted(found.values(), key=lambda line: line.timestamp, reverse=True)[:limit]
