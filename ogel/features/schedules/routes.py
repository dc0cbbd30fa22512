"""/api/schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.schedules.schedule import NewSchedule, ScheduleChange, ScheduleInfo, StartedRun
from ogel.features.schedules.service import ScheduleService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class ScheduleRoutes:
    def __init__(self, service: ScheduleService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "schedules:read", "read"), Access("key", "schedules:write", "write")
        one = "/api/schedules/{name}"
        return [
            Route("POST", "/api/schedules", self._create, write.audited("schedule.create"),
                  "Publish an event or enqueue a job at times to come", body=NewSchedule,
                  returns=ScheduleInfo, status=201),
            Route("GET", "/api/schedules", self._list, read, "List schedules by name, built-in ones too",
                  query=PageQuery, returns=Page[ScheduleInfo]),
            Route("GET", one, self._get, read, "One schedule, its last run and its next ticks", returns=ScheduleInfo),
            Route("PATCH", one, self._change, write.audited("schedule.update"),
                  "Change, pause or resume a schedule", body=ScheduleChange, returns=ScheduleInfo),
            Route("DELETE", one, self._delete, write.audited("schedule.delete"),
                  "Delete a schedule; what it caused goes on", status=204),
            Route("POST", one + "/run", self._run, write.audited("schedule.run"),
                  "Run a schedule now, beside its ticks", returns=StartedRun, status=202),
            Route("POST", one + "/pause", self._pause, write.audited("schedule.pause"), "No ticks for now",
                  returns=ScheduleInfo),
            Route("POST", one + "/resume", self._resume, write.audited("schedule.resume"),
                  "Go on with the next tick", returns=ScheduleInfo),
        ]  # fmt: skip

    async def _create(self, call: Call[NewSchedule, Any]) -> ScheduleInfo:
        return await self._service.create(call.caller, call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[ScheduleInfo]:
        after = decode_cursor(call.query.after, str) if call.query.after else None
        schedules = await self._service.list(after, call.query.limit + 1)
        return page(schedules, call.query.limit, lambda schedule: schedule.name)

    async def _get(self, call: Call[Any, Any]) -> ScheduleInfo:
        return await self._service.get(call.path["name"])

    async def _change(self, call: Call[ScheduleChange, Any]) -> ScheduleInfo:
        return await self._service.change(call.caller, call.path["name"], call.body)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["name"])

    async def _run(self, call: Call[Any, Any]) -> StartedRun:
        return await self._service.run(call.caller, call.path["name"])

    async def _pause(self, call: Call[Any, Any]) -> ScheduleInfo:
        return await self._service.pause(call.caller, call.path["name"])

    async def _resume(self, call: Call[Any, Any]) -> ScheduleInfo:
        return await self._service.resume(call.caller, call.path["name"])
