"""The other end of child.py: reads questions from standard input, writes answers, until the input is closed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# A question may name 100,000 ids.
MOST_BYTES_PER_QUESTION = 8 * 1024 * 1024
Answerer = Callable[[dict[str, Any]], Awaitable[Any]]


async def answer_questions(answer: Answerer) -> None:
    """Several at once: a question may have to wait for something to happen."""
    questions = asyncio.StreamReader(limit=MOST_BYTES_PER_QUESTION)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
    )
    async with asyncio.TaskGroup() as group:
        waiting = set()
        while line := await questions.readline():
            task = group.create_task(_answer(answer, json.loads(line)))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        for task in waiting:
            task.cancel()


async def _answer(answer: Answerer, question: dict[str, Any]) -> None:
    line = json.dumps({"number": question["number"], "answer": await answer(question)})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
