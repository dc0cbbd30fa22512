"""What comes together is done together: one statement for many, while each gets the answer to its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from ogel.kernel.errors import Unavailable
from ogel.runtime.database.patience import be_patient_as_a_request

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_MOST_WAITING = 10_000


class Together(Generic[Asked, Answer]):
    """
    Who comes while nothing is under way is served at once; those who come meanwhile are served together, at most `most`
    at once. `perform` answers in the order of what it is asked. If it fails for several, each is tried alone, so that
    nobody fails for the sake of another; what is away, is away for all.
    """

    def __init__(self, perform: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], most: int) -> None:
        self._perform = perform
        self._most = most
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """Raises what `perform` raises, and Unavailable when too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable("Too many wait for the database.", retry_after_seconds=1)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._working is None or self._working.done():
            # It is for all: what was said in the context of the first, its patience too, is not said of the others.
            self._working = asyncio.create_task(self._work(), context=Context())
        return await answer

    async def _work(self) -> None:
        be_patient_as_a_request()
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            # Those whose clients have gone meanwhile ask for nothing any more.
            if here := [each for each in some if not each[1].done()]:
                await self._serve(here)

    async def _serve(self, some: Sequence[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._perform([asked for asked, _ in some])
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
            if len(some) > 1 and not isinstance(error, Unavailable):
                for each in some:
                    await self._serve([each])
                return
            for _, waiting in some:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(some, answers, strict=True):
            if not waiting.done():  # or its client has gone
                waiting.set_result(answer)
