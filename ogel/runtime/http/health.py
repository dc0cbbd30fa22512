"""Health checks: whether this process is alive, whether it may get work, and the state of what it depends on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec
import structlog

from ogel.kernel.clock import utc_now
from ogel.kernel.errors import OgelError
from ogel.runtime.http.access import OPEN
from ogel.runtime.http.route import Call, Reply, Route, Timestamp

log = structlog.get_logger()

# Health needs no key, so results are reused for this long: many requests must not cause many checks.
_FRESH_SECONDS = 0.5
_STOPPING = "The process is stopping."

Status = Literal["healthy", "degraded", "unhealthy"]


class Probe(msgspec.Struct, frozen=True):
    """
    check      True when the thing answers; raising, or taking longer than `timeout_seconds`, counts as False. The
               message of an OgelError is shown to everybody.
    required   without it the process cannot do its work: 503. Otherwise its failure only degrades.
    """

    name: str
    check: Callable[[], Awaitable[bool]]
    required: bool = True
    timeout_seconds: float = 2.0


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"] = "alive"


class Readiness(msgspec.Struct, frozen=True):
    """`reasons` has a sentence for each check that failed; for `process`, once it was told to stop."""

    status: Literal["ready", "unready"]
    checks: dict[str, bool]
    reasons: dict[str, str]


class Health(msgspec.Struct, frozen=True):
    """`reasons` has a sentence for each check that failed."""

    status: Status
    checks: dict[str, bool]
    reasons: dict[str, str]
    timestamp: Timestamp


def health_routes(probes: Sequence[Probe], stopping: Callable[[], bool]) -> list[Route]:
    """Builds the health routes. Once `stopping()` they say "unready", so that work goes elsewhere."""
    checkup = Checkup(probes)

    async def live(call: Call[Any, Any]) -> Alive:
        return Alive()

    async def ready(call: Call[Any, Any]) -> Reply:
        checks = await checkup.results()
        if stopping():
            return Reply(Readiness("unready", checks, {**checkup.reasons, "process": _STOPPING}), 503)
        if checkup.able(checks):
            return Reply(Readiness("ready", checks, checkup.reasons), 200)
        return Reply(Readiness("unready", checks, checkup.reasons), 503)

    async def health(call: Call[Any, Any]) -> Reply:
        checks = await checkup.results()
        status = checkup.status(checks)
        return Reply(
            Health(status, checks, checkup.reasons, utc_now()), 503 if status == "unhealthy" else 200
        )

    return [
        Route("GET", "/health/live", live, OPEN, "The process answers", returns=Alive),
        Route(
            "GET",
            "/health/ready",
            ready,
            OPEN,
            "The process may be given work",
            returns=Readiness,
            also={503: Readiness},
        ),
        Route(
            "GET",
            "/api/health",
            health,
            OPEN,
            "The state of everything Ogel leans on",
            returns=Health,
            also={503: Health},
        ),
    ]


class Checkup:
    """
    Runs all probes together, at most every half second. Changes of a state or its reason are logged, steady states are
    not.
    """

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._known = {probe.name: True for probe in probes}
        self._reasons: dict[str, str] = {}
        self._checked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def results(self) -> dict[str, bool]:
        async with self._lock:
            if time.monotonic() - self._checked_at > _FRESH_SECONDS:
                found = await asyncio.gather(*(self._check(probe) for probe in self._probes))
                reasons = {probe.name: reason for probe, reason in zip(self._probes, found, strict=True)}
                self._known = {name: reason is None for name, reason in reasons.items()}
                self._reasons = {name: reason for name, reason in reasons.items() if reason is not None}
                self._checked_at = time.monotonic()
            return self._known

    @property
    def reasons(self) -> dict[str, str]:
        """Returns the reasons of the failures in the last results."""
        return self._reasons

    def status(self, checks: dict[str, bool]) -> Status:
        if not self.able(checks):
            return "unhealthy"
        return "healthy" if all(checks.values()) else "degraded"

    def able(self, checks: dict[str, bool]) -> bool:
        return all(checks[probe.name] for probe in self._probes if probe.required)

    async def _check(self, probe: Probe) -> str | None:
        """Runs one probe. Returns why it failed; None: it did not."""
        reason = cause = None
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                if not await probe.check():
                    reason = "The check said no."
        except Exception as error:  # noqa: BLE001 - whatever a check raises means "no"; it is logged below
            explained = isinstance(error, OgelError) and error.__cause__
            reason, cause = _told(error, probe), repr(explained or error)
        if reason != self._reasons.get(probe.name):
            if reason is None:
                log.info("health.recovered", probe=probe.name)
            else:
                log.warning(
                    "health.failed", probe=probe.name, required=probe.required, reason=reason, cause=cause
                )
        return reason


def _told(error: Exception, probe: Probe) -> str:
    """Returns the message where it was written for callers. Other errors may contain host names, or worse."""
    if isinstance(error, OgelError):
        return error.message
    if isinstance(error, TimeoutError):
        return f"It did not answer within {probe.timeout_seconds:g} seconds."
    return "It does not answer."
