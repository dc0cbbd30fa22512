"""Services that run and stop together, those included that do not want to stop."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from ogel.runtime.process import lifecycle
from ogel.runtime.process.lifecycle import run_together


class Stubborn:
    """Swallows the first `deaf_to` cancellations."""

    def __init__(self, deaf_to: int) -> None:
        self.deaf_to = deaf_to
        self.cancelled = 0
        self.enough = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        while not self.enough.is_set():
            try:
                await self.enough.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > self.deaf_to:
                    raise


async def ends_at_once(stop: asyncio.Event) -> None:
    raise ValueError("the reason")


@pytest.mark.parametrize(
    ("deaf_to", "said"),
    [(0, ["service.late"]), (2, ["service.late"]), (9, ["service.late", "service.does_not_end"])],
)
def test_a_service_that_swallows_its_cancellation_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, deaf_to: int, said: list[str]
) -> None:
    monkeypatch.setattr(lifecycle, "MARGIN_SECONDS", 0.01)
    monkeypatch.setattr(lifecycle, "CANCEL_SECONDS", 0.05)

    async def story() -> None:
        stubborn = Stubborn(deaf_to)
        with structlog.testing.capture_logs() as logs, pytest.raises(ValueError, match="the reason"):
            async with asyncio.timeout(20):
                services = [("stubborn", stubborn.run), ("short", ends_at_once)]
                await run_together(services, asyncio.Event(), drain_seconds=0.0)
        assert [(each["event"], each["service"]) for each in logs] == [(what, "stubborn") for what in said]
        stubborn.enough.set()

    asyncio.run(story())
