"""What the benchmark's figures rest on: its meters change nothing, and its table says what was measured."""

from __future__ import annotations

import asyncio

import pytest

from bench.figures import Figure, line, medians
from bench.inside.metered import FUNCTIONS, Meter, found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_metered_is_there(name: str) -> None:
    """Under one of its names: they are of the versions that are compared."""
    assert any(map(found, FUNCTIONS[name]))


def test_a_metered_coroutine_returns_raises_and_is_cancelled_as_without() -> None:
    meter = Meter()

    async def added(one: int, other: int) -> int:
        await asyncio.sleep(0)
        return one + other

    async def failing() -> None:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except TimeoutError as error:
            raise ValueError("too late") from error

    async def patient(said: list[str]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            said.append("cancelled")
            raise

    async def run() -> None:
        assert await meter.metered(added)(2, other=3) == 5
        with pytest.raises(ValueError, match="too late"):
            await meter.metered(failing)()
        said: list[str] = []
        task = asyncio.create_task(meter.metered(patient)(said))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert said == ["cancelled"]

    asyncio.run(run())
    assert meter.calls == 3
    assert meter.nanoseconds > 0


def test_time_that_is_waited_is_not_metered() -> None:
    meter = Meter()
    asyncio.run(meter.metered(asyncio.sleep)(0.2))
    assert meter.nanoseconds < 0.1e9


def test_versions_stand_side_by_side_with_the_target_held_against_the_first() -> None:
    rounds = [[Figure("reads", rate, "/s", at_least=3000)] for rate in (2_900, 3_100, 3_200)]
    [now] = medians(rounds).values()
    before = Figure("reads", 660, "/s", at_least=3000)
    assert " ".join(line([now, before]).split()) == "reads 3,100 /s 660 /s ≥ 3,000 /s reached"
    assert line([before, now]).endswith("SHORT")
    assert " ".join(line([None, before]).split()) == "reads - 660 /s ≥ 3,000 /s"
