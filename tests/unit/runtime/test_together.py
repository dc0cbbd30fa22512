"""What comes together is done together, and fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ogel.kernel.errors import Unavailable
from ogel.runtime.together import Together


def test_who_comes_meanwhile_is_served_together_and_nobody_fails_for_another() -> None:
    served: list[list[int]] = []

    async def perform(asked: Sequence[int]) -> Sequence[int]:
        served.append(list(asked))
        await asyncio.sleep(0)
        if 3 in asked:
            raise ValueError("three")
        return [number * 2 for number in asked]

    async def story() -> None:
        together = Together(perform, most=4)
        answers = await asyncio.gather(*map(together.ask, range(7)), return_exceptions=True)
        assert [answer for answer in answers if not isinstance(answer, ValueError)] == [0, 2, 4, 8, 10, 12]
        assert isinstance(answers[3], ValueError)
        assert served == [[0, 1, 2, 3], [0], [1], [2], [3], [4, 5, 6]]

    asyncio.run(story())


def test_what_is_away_is_not_asked_once_for_each() -> None:
    asked_of = []

    async def perform(asked: Sequence[str]) -> Sequence[str]:
        asked_of.append(len(asked))
        raise Unavailable("It is away.")

    async def story() -> None:
        together = Together(perform, most=10)
        ended = await asyncio.gather(*map(together.ask, "abc"), return_exceptions=True)
        assert [type(each) for each in ended] == [Unavailable] * 3
        assert asked_of == [3]

    asyncio.run(story())


def test_who_leaves_is_not_waited_for() -> None:
    async def perform(asked: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0)
        return asked

    async def story() -> None:
        together = Together(perform, most=10)
        leaving, staying = asyncio.create_task(together.ask("a")), asyncio.create_task(together.ask("b"))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == "b"
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await together.ask("c") == "c"

    asyncio.run(story())
