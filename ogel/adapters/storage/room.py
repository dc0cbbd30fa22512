"""How much a directory may hold, besides what its disk says."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ogel.runtime.objects import StoreFull

# What is there is counted again after this, and after ten times as long as it took: others may write there too.
_COUNTED_SECONDS = 60.0
_REST = 10
# How long whoever is first waits for it: a directory with millions of files takes longer, and is not held up.
_FIRST_SECONDS = 1.0


class Room:
    """
    For threads. What this process writes is counted as it comes; what others do is found by counting everything, now
    and then. So several processes together may exceed it by what they write within a minute. `most` 0: no limit.
    """

    def __init__(self, root: Path, most: int) -> None:
        self._root = root
        self._most = most
        self._lock = threading.Lock()
        self._used = 0
        self._is_counting = False
        self._counted = threading.Event()
        self._counted_again = 0.0

    def take(self, size: int, to_come: int = 0) -> None:
        """Raises StoreFull, also for what is only to come; then nothing is taken."""
        if not self._most:
            return
        self._have_it_counted()
        self._counted.wait(_FIRST_SECONDS)
        with self._lock:
            if self._used + size + to_come > self._most:
                raise StoreFull(
                    f"{self._root} has no room left: OGEL_STORAGE_LOCAL_BYTES lets it hold {self._most} bytes"
                )
            self._used += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used = max(self._used - size, 0)

    def _have_it_counted(self) -> None:
        with self._lock:
            if self._is_counting or time.monotonic() < self._counted_again:
                return
            self._is_counting, before = True, self._used
        threading.Thread(target=self._count, args=(before,), name="room", daemon=True).start()

    def _count(self, before: int) -> None:
        began = time.monotonic()
        try:
            used = int(sum(_sizes(self._root)))
        except OSError:  # whoever writes there says so
            used = before
        took = time.monotonic() - began
        with self._lock:
            # What was taken while it was counted may have been counted, and is so again.
            self._used += used - before
            self._counted_again = time.monotonic() + max(_COUNTED_SECONDS, _REST * took)
            self._is_counting = False
        self._counted.set()


def _sizes(directory: str | Path) -> Iterator[float]:
    """A file that has several keys counts once."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield status.st_size / status.st_nlink
    except FileNotFoundError:
        return
