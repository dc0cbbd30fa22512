"""Lines of the log on their way out: written by a thread of their own, so that nobody waits for whoever reads them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

# Lines that come within this time are one write. What a `kill -9` loses.
GATHER_SECONDS = 0.005
# While nobody reads them. What comes then is lost, and counted.
MOST_LINES = 10_000
# For what is left when the process ends; whoever does not read by then never will.
FLUSH_SECONDS = 2.0


class LineWriter:
    """In order, to a file descriptor. `line_of_lost` makes the line that says how many were lost."""

    def __init__(self, fd: int, encoding: str, line_of_lost: Callable[[int], str]) -> None:
        self._fd = fd
        self._encoding = encoding
        self._line_of_lost = line_of_lost
        self._begin()
        # A child of ours has none of our threads, and must not write our lines again.
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
        """Waits until what was written is out, FLUSH_SECONDS at most."""
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
        with suppress(OSError):  # whoever read us is gone: nobody is there to hear of it
            while data:
                data = data[self._written(data) :]

    def _written(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # somebody who has the same pipe wants it so
            select.select([], [self._fd], [])
            return 0
