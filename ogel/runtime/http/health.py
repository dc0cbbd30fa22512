"""Health: is this process alive, may it take work, and what does it lean on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import structlog

from ogel.kernel.clock import utc_now
from ogel.runtime.http.route import Call, Reply, Route, Timestamp

log = structlog.get_logger()

# Health is open to everyone, so a flood of questions must not become a flood of checks.
_FRESH_SECONDS = 0.5


Status = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Probe:
    """
    check      True when the thing answers; raising, or taking longer than `timeout_seconds`, counts as False.
    required   without it the process cannot do its work: 503. Otherwise its failure only degrades.
    """

    name: str
    check: Callable[[], Awaitable[bool]]
    required: bool = True
    timeout_seconds: float = 2.0


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"] = "alive"


class Readiness(msgspec.Struct, frozen=True):
    status: Literal["ready", "unready"]
    checks: dict[str, bool]


class Health(msgspec.Struct, frozen=True):
    status: Status
    checks: dict[str, bool]
    timestamp: Timestamp


def health_routes(probes: Sequence[Probe]) -> list[Route]:
    checkup = Checkup(probes)

    async def live(call: Call[Any, Any]) -> Alive:
        return Alive()

    async def ready(call: Call[Any, Any]) -> Reply:
        checks = await checkup.results()
        if checkup.able(checks):
            return Reply(Readiness("ready", checks), 200)
        return Reply(Readiness("unready", checks), 503)

    async def health(call: Call[Any, Any]) -> Reply:
        checks = await checkup.results()
        status = checkup.status(checks)
        return Reply(Health(status, checks, utc_now()), 503 if status == "unhealthy" else 200)

    return [
        Route("GET", "/health/live", live, None, "The process answers", returns=Alive),
        Route(
            "GET",
            "/health/ready",
            ready,
            None,
            "The process may be given work",
            returns=Readiness,
            also={503: Readiness},
        ),
        Route(
            "GET",
            "/api/health",
            health,
            None,
            "The state of everything Ogel leans on",
            returns=Health,
            also={503: Health},
        ),
    ]


class Checkup:
    """All probes at once, at most every half second; a change of state is logged, a steady state is not."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._known = {probe.name: True for probe in probes}
        self._checked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def results(self) -> dict[str, bool]:
        async with self._lock:
            if time.monotonic() - self._checked_at > _FRESH_SECONDS:
                states = await asyncio.gather(*(self._check(probe) for probe in self._probes))
                self._known = {probe.name: state for probe, state in zip(self._probes, states, strict=True)}
                self._checked_at = time.monotonic()
            return self._known

    def status(self, checks: dict[str, bool]) -> Status:
        if not self.able(checks):
            return "unhealthy"
        return "healthy" if all(checks.values()) else "degraded"

    def able(self, checks: dict[str, bool]) -> bool:
        return all(checks[probe.name] for probe in self._probes if probe.required)

    async def _check(self, probe: Probe) -> bool:
        reason = "the check said no"
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                state = bool(await probe.check())
        except Exception as error:  # noqa: BLE001 - whatever a check raises means "no"; the reason is logged below
            state, reason = False, repr(error)
        if state != self._known[probe.name]:
            if state:
                log.info("health.recovered", probe=probe.name)
            else:
                log.warning("health.failed", probe=probe.name, required=probe.required, reason=reason)
        return state
