"""Many transfers, a few at a time, while a bar shows how far they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import click

from ogel.cli.progress import LOOK_SECONDS, Meter
from ogel.cli.sizes import size
from ogel.cli.storage.counted import Moved
from ogel.cli.tables import printable
from ogel.cli.times import length
from ogel.kernel.errors import OgelError

# Most files are small: what takes time is asking for each.
_AT_ONCE = 4


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
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._moved = 0
        self._known = 0
        self._all_known = False

    def run(self, transfers: Iterable[Transfer]) -> Summary:
        """Goes on after failures, which it prints. Ctrl-C ends those under way."""
        running: dict[Future[None], Transfer] = {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            try:
                for transfer in transfers:
                    self._known += transfer.bytes or 0
                    running[threads.submit(transfer.run, self._count)] = transfer
                    while len(running) >= 2 * _AT_ONCE:
                        self._settle(running)
                self._all_known = True
                while running:
                    self._settle(running)
            finally:
                self._stop.set()
        self._meter.end()
        return self.summary

    def _count(self, moved: int) -> None:
        if self._stop.is_set():
            raise Stopped
        with self._lock:
            self._moved += moved

    def _settle(self, running: dict[Future[None], Transfer]) -> None:
        done, _ = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
        for future in done:
            self._ended(future, running.pop(future))
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
        self.summary.failed[name] = why
        self._meter.clear()
        click.echo(f"{printable(name)}: {printable(why)}", err=True)

    def _show(self) -> None:
        seconds = time.monotonic() - self._began
        speed = self._moved / max(seconds, 1e-3)
        said = f"{size(self._moved)}, {size(speed)}/s"
        if self._all_known and self._known:
            left = (self._known - self._moved) / max(speed, 1.0)
            said = f"{size(self._moved)} of {size(self._known)}, {size(speed)}/s"
            said += f", {length(left)} left" if seconds > 1 and left > 1 else ""
        self._meter.show(self._moved / self._known if self._known and self._all_known else 0.0, said)
