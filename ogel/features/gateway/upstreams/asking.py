"""Asking an upstream: its address for a path, its breaker, and when it is asked once more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import structlog

from ogel.features.gateway.upstreams.metrics import UpstreamMetrics
from ogel.features.gateway.upstreams.upstream import Upstream
from ogel.kernel.errors import Malformed, OgelError, Unavailable
from ogel.runtime.delivery.breaker import Breaker
from ogel.runtime.egress import EgressError
from ogel.runtime.http.path import unescaped, without_origin

log = structlog.get_logger(__name__)

Opened = TypeVar("Opened")
# A service that is deployed anew is back soon.
OPEN_SECONDS = 5.0
RETRY_SECONDS = 0.1
# Repeating them changes nothing more (RFC 9110 §9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_DOTS = (b".", b"..")


class BadGateway(OgelError):
    status = 502
    title = "Bad gateway"


class GatewayTimeout(OgelError):
    status = 504
    title = "Gateway timeout"


def target_of(upstream: Upstream, raw_path: bytes, query: bytes) -> str:
    """
    Returns the URL to ask for. Raises Malformed for a path that a server could read as one outside of the upstream's.
    """
    path = without_origin(raw_path) or b"/"
    for segment in path.split(b"/"):
        # Some servers leave out parameters (`..;v=1`) before they look at dots, and some undo escapes twice.
        decoded = unescaped(segment).replace(b"\\", b"/")
        if any(part.partition(b";")[0] in _DOTS for part in decoded.split(b"/")):
            raise Malformed("The path has a segment of dots, which servers read differently.")
    if upstream.strips and upstream.prefix:
        # The router has matched it, perhaps with characters escaped that need not be.
        rest = path.split(b"/")[upstream.prefix.count("/") + 1 :]
        path = b"".join(b"/" + segment for segment in rest)
    base = upstream.url or ""
    if not path and base.count("/") == 2:
        path = b"/"  # no request is without a path; one that stands in the setting is asked for as it is
    tail = path + (b"?" + query if query else b"")
    return f"{base}{tail.decode('latin-1')}"


class Asking:
    """Asks one upstream, and remembers in this process whether it is there."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.metrics: UpstreamMetrics | None = None
        self._breaker = Breaker(open_seconds=OPEN_SECONDS)

    @property
    def is_away(self) -> bool:
        return self._breaker.is_open

    @asynccontextmanager
    async def opened(
        self,
        ask: Callable[[], AbstractAsyncContextManager[Opened]],
        repeatable: Callable[[EgressError], bool],
        fault: Callable[[], BaseException | None],
    ) -> AsyncIterator[Opened]:
        """
        Opens what `ask` makes, for the block. `repeatable`: whether it may be asked once more after such an error;
        `fault`: what the client did wrong meanwhile, which is no failure of the upstream's. Raises BadGateway,
        GatewayTimeout or Unavailable.
        """
        opening, found = await self._open(ask, repeatable, fault)
        try:
            yield found
        finally:
            await opening.__aexit__(None, None, None)

    async def _open(
        self,
        ask: Callable[[], AbstractAsyncContextManager[Opened]],
        repeatable: Callable[[EgressError], bool],
        fault: Callable[[], BaseException | None],
    ) -> tuple[AbstractAsyncContextManager[Opened], Opened]:
        for left in range(self.upstream.retries, -1, -1):
            began = time.monotonic()
            opening = ask()
            try:
                found = await self._tried(opening.__aenter__, fault)
            except EgressError as error:
                if not left or not repeatable(error):
                    raise self._told(error) from error
                self._count("retried")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self.metrics is not None and (status := getattr(found, "status", None)) is not None:
                self.metrics.answered(self.upstream.path, status, time.monotonic() - began)
            return opening, found
        raise AssertionError

    async def _tried(
        self, enter: Callable[[], Awaitable[Opened]], fault: Callable[[], BaseException | None]
    ) -> Opened:
        """Tries once, and tells the breaker how it went."""
        if not self._breaker.try_enter():
            self._count("refused")
            seconds = max(1, round(self._breaker.seconds_left))
            raise Unavailable(
                f"The service behind {self.upstream.path} does not answer.", retry_after_seconds=seconds
            )
        try:
            found = await enter()
        except EgressError as error:
            if (clients := fault()) is not None:
                self._breaker.left()
                raise clients from None
            if error.ours:
                self._breaker.left()
            else:
                self._breaker.failed()
            self._count(error.reason)
            raise
        except BaseException as error:
            # It was cancelled, or answered otherwise than was asked; the latter says that it is there.
            if isinstance(error, Exception):
                self._breaker.succeeded()
            else:
                self._breaker.left()
            raise
        self._breaker.succeeded()
        return found

    def _told(self, error: EgressError) -> OgelError:
        """Returns what callers are told: the upstream's address and name are for the log alone."""
        path = self.upstream.path
        log.warning(
            "upstream.failed", upstream=path, reason=error.reason, error=error.message, detail=error.detail
        )
        if error.reason == "timeout" and error.ours:
            return Unavailable("Too many requests are being passed on.", retry_after_seconds=1)
        if error.reason == "timeout":
            return GatewayTimeout(f"The service behind {path} did not answer in time.")
        return BadGateway(f"The service behind {path} gave no answer.")

    def _count(self, outcome: str) -> None:
        if self.metrics is not None:
            self.metrics.counted(self.upstream.path, outcome)
