"""GET /api/schedules, POST /api/schedules/{name}/run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.features.schedules.service import Planned, ScheduleService
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Route, Timestamp


class ScheduleItem(msgspec.Struct, frozen=True):
    name: str
    cron: str
    description: str
    kind: str
    last_tick_at: Timestamp | None
    next_tick_at: Timestamp
    last_job_id: str | None


class StartedRun(msgspec.Struct, frozen=True):
    """The id of the job."""

    job: str


class ScheduleRoutes:
    def __init__(self, service: ScheduleService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                "/api/schedules",
                self._list,
                scope="schedules:read",
                summary="List all schedules with their last and next ticks",
                returns=Page[ScheduleItem],
            ),
            Route(
                "POST",
                "/api/schedules/{name}/run",
                self._run,
                scope="schedules:write",
                summary="Run a schedule now, besides its ticks",
                returns=StartedRun,
                status=202,
            ),
        ]

    async def _list(self, call: Call[Any, Any]) -> Page[ScheduleItem]:
        # One page holds them all: they are declared in code, so there are never many.
        return Page([_item(planned) for planned in await self._service.list()], next=None)

    async def _run(self, call: Call[Any, Any]) -> StartedRun:
        return StartedRun(await self._service.run(call.caller, call.path["name"]))


def _item(planned: Planned) -> ScheduleItem:
    schedule = planned.schedule
    return ScheduleItem(
        name=schedule.name,
        cron=schedule.cron,
        description=schedule.description,
        kind=schedule.kind,
        last_tick_at=planned.last_tick_at,
        next_tick_at=planned.next_tick_at,
        last_job_id=planned.last_job_id,
    )
