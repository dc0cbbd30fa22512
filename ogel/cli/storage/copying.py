"""Many transfers, a few at a time, while a bar shows how far they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import click

from ogel.cli.progress import LOOK_SECONDS, Meter
from ogel.cli.sizes import size
from ogel.cli.storage.counted import Moved
from ogel.cli.tables import printable
from ogel.cli.times import length
from ogel.kernel.errors import OgelError

# Most files are small: what takes time is asking for each.
_AT_ONCE = 4
# So many are looked up before they can begin: how much there is to do is known early.
_AHEAD = 10_000
_SHOWN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Transfer:
    """`name` is for people; `bytes` None: nobody knows before it is over."""

    name: str
    bytes: int | None
    run: Callable[[Moved], None]


@dataclass(slots=True)
class Summary:
    """`failed`: why, by name."""

    copied: int = 0
    bytes: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Stopped(Exception):
    """Ends a transfer that nobody waits for any more."""


class Copying:
    def __init__(self, title: str) -> None:
        self.summary = Summary()
        self._meter = Meter(title)
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[Future[None], Transfer] = {}
        self._done: SimpleQueue[Future[None]] = SimpleQueue()
        self._moved = 0
        self._known = 0
        self._all_known = False

    def run(self, transfers: Iterable[Transfer]) -> Summary:
        """Goes on after failures, which it prints. Ctrl-C ends those under way."""
        threads = ThreadPoolExecutor(_AT_ONCE)
        try:
            for transfer in transfers:
                self._known += transfer.bytes or 0
                future = threads.submit(transfer.run, self._count)
                self._running[future] = transfer
                future.add_done_callback(self._done.put)
                self._settle(LOOK_SECONDS if len(self._running) >= _AHEAD else 0.0)
            self._all_known = True
            while self._running:
                self._settle(LOOK_SECONDS)
        finally:
            self._stop.set()
            threads.shutdown(cancel_futures=True)
        self._meter.end()
        return self.summary

    def _count(self, moved: int) -> None:
        if self._stop.is_set():
            raise Stopped
        with self._lock:
            self._moved += moved

    def _settle(self, seconds: float) -> None:
        """Takes what is over, and waits for the first so long."""
        try:
            while True:
                future = self._done.get(timeout=seconds) if seconds else self._done.get_nowait()
                self._ended(future, self._running.pop(future))
                seconds = 0.0
        except Empty:
            self._show()

    def _ended(self, future: Future[None], transfer: Transfer) -> None:
        try:
            future.result()
        except OgelError as error:
            self.fail(transfer.name, error.message)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self.fail(transfer.name, f"{where}{error.strerror or error}")
        else:
            self.summary.copied += 1
            self.summary.bytes = self._moved

    def fail(self, name: str, why: str) -> None:
        name, why = printable(name), printable(why)
        self.summary.failed[name] = why
        self._meter.clear()
        click.echo(f"{name}: {why}", err=True)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown_at < _SHOWN_SECONDS:
            return
        self._shown_at = now
        seconds = now - self._began
        speed = self._moved / max(seconds, 1e-3)
        of_all = f" of {size(self._known)}" if self._known and self._all_known else ""
        said = f"{size(self._moved)}{of_all}, {size(speed)}/s"
        if of_all and seconds > 1:
            left = (self._known - self._moved) / max(speed, 1.0)
            said += f", {length(left)} left" if left > 1 else ""
        self._meter.show(self._moved / self._known if of_all else 0.0, said)
