"""Writes log lines on a thread of its own, so that the event loop never waits for a slow reader."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

# Lines within this time are written together; a `kill -9` loses them.
GATHER_SECONDS = 0.005
# How many lines may wait while nobody reads. Later lines are dropped and counted.
MOST_LINES = 10_000
# For the remaining lines when the process ends; a reader that is slower has stopped reading.
FLUSH_SECONDS = 2.0


class LineWriter:
    """Writes lines in order to a file descriptor. `line_of_lost` formats the line that reports dropped ones."""

    def __init__(self, fd: int, encoding: str, line_of_lost: Callable[[int], str]) -> None:
        self._fd = fd
        self._encoding = encoding
        self._line_of_lost = line_of_lost
        self._begin()
        # A forked child has none of our threads, and must not write our lines a second time.
        os.register_at_fork(after_in_child=self._begin_in_child)

    def write(self, line: str) -> None:
        if not self._threaded:
            self._write_out([line])
        elif len(self._lines) >= MOST_LINES:
            with self._counting:
                self._lost += 1
        else:
            self._lines.append(line)
            if not self._woken.is_set():
                self._woken.set()

    def flush(self) -> None:
        """Waits until everything is written, at most FLUSH_SECONDS."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while self._threaded and (self._lines or self._busy) and time.monotonic() < deadline:
            self._woken.set()
            time.sleep(GATHER_SECONDS / 5)

    def _begin(self, threaded: bool = True) -> None:
        self._lines: deque[str] = deque()
        self._lost = 0
        self._counting = threading.Lock()
        self._woken = threading.Event()
        self._busy = False
        self._threaded = threaded
        if threaded:
            threading.Thread(target=self._run, name="log", daemon=True).start()

    def _begin_in_child(self) -> None:
        self._begin(threaded=False)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            time.sleep(GATHER_SECONDS)
            self._busy = True
            self._woken.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._write_out(lines)
            with self._counting:
                lost, self._lost = self._lost, 0
            if lost:
                self._write_out([self._line_of_lost(lost)])
            self._busy = False

    def _write_out(self, lines: list[str]) -> None:
        data = "".join([f"{line}\n" for line in lines]).encode(self._encoding, "backslashreplace")
        with suppress(OSError):  # the reader is gone, and nobody could be told
            while data:
                data = data[self._written(data) :]

    def _written(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # another process made the pipe non-blocking
            select.select([], [self._fd], [])
            return 0
