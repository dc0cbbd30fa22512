"""A child process that is asked and answers in lines of JSON, over its standard input and output."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS = 20.0


class Child:
    """
    Runs a program of this folder. It ends when its input is closed, so nothing outlives the tests.
    Questions may be asked from several threads; each answer finds its question by number.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        self._command = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._reader.join(10)
            self._process.stdout.close()
        assert code == 0, f"{self._command[1]} ended with {code}; what it said is above"

    def ask(self, question: str, *, seconds: float = ANSWER_SECONDS, **details: Any) -> Any:
        answer: Future[Any] = Future()
        number = next(self._numbers)
        line = json.dumps({"number": number, "question": question, **details}).encode() + b"\n"
        with self._lock:
            assert self._process.stdin is not None
            self._open[number] = answer
            self._process.stdin.write(line)
            self._process.stdin.flush()
        return answer.result(seconds)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                waiting = self._open.pop(answer["number"])
            waiting.set_result(answer["answer"])
        with self._lock:
            for waiting in self._open.values():
                waiting.set_exception(AssertionError("the receiver's process has ended"))
