"""How far long work is, while somebody waits for it: a bar on a terminal, elsewhere a line now and then; on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ogel.cli.tables import cut
from ogel.kernel.errors import Unavailable
from ogel.runtime.log.terminal import draws, printable

LOOK_SECONDS = 0.5
LINE_SECONDS = 10.0
BAR_WIDTH = 30


@contextmanager
def waiting(hint: str) -> Iterator[None]:
    """
    Around a wait for work that goes on without us. Ctrl-C ends the wait with exit code 130, an API that is away ends it
    with its error. Both print the hint, which says that the work goes on and how to look at it.
    """
    try:
        yield
    except (KeyboardInterrupt, Unavailable) as error:
        click.echo(f"\n{hint}", err=True)
        if isinstance(error, Unavailable):
            raise
        sys.exit(130)


class Meter:
    """`name` is what the lines are about, where nothing can be drawn."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._draws = draws(sys.stderr)
        self._said_at = time.monotonic()

    def show(self, part: float, said: str) -> None:
        """`part` of the whole is done."""
        said = printable(said)
        now = time.monotonic()
        if self._draws:
            filled = int(min(1.0, part) * BAR_WIDTH)
            line = f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]  {said}"
            # One that went on below could not be written over.
            line = cut(line, shutil.get_terminal_size().columns - 1)
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
        elif now - self._said_at >= LINE_SECONDS:
            self._said_at = now
            click.echo(f"{self._name}: {said}", err=True)

    def clear(self) -> None:
        """Makes room for a line that stays."""
        if self._draws:
            click.echo("\r\x1b[K", nl=False, err=True)

    def end(self) -> None:
        if self._draws:
            click.echo(err=True)


class Progress:
    """Of what is counted; `before` of it was done already."""

    def __init__(self, name: str, before: int = 0) -> None:
        self._meter = Meter(name)
        self._before = before
        self._began = time.monotonic()

    def show(self, done: int, total: int | None) -> None:
        speed = (done - self._before) / max(time.monotonic() - self._began, 1e-3)
        part = _part(done, total)
        of_all = "" if total is None else f" of {total} ({part:.0%})"
        self._meter.show(part, f"{done}{of_all}, {speed:.0f}/s")

    def end(self) -> None:
        self._meter.end()


def _part(done: int, total: int | None) -> float:
    """Nothing to do is all done; of what is not counted yet nothing is known."""
    if total is None:
        return 0.0
    return min(1.0, done / total) if total else 1.0
