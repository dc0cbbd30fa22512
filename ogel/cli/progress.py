"""How far something long is, while somebody waits: a bar on a terminal, elsewhere a line now and then; on stderr."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ogel.features.webhooks.replays.replay import Replay
    from ogel.features.webhooks.replays.service import ReplayService

LOOK_SECONDS = 0.5
LINE_SECONDS = 10.0
BAR_WIDTH = 30


class Progress:
    """Of what `name` names; `before` of it was done already."""

    def __init__(self, name: str, before: int = 0) -> None:
        self._name = name
        self._before = before
        self._draws = sys.stderr.isatty()
        self._began = self._said_at = time.monotonic()

    def show(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        speed = (done - self._before) / max(now - self._began, 1e-3)
        part = _part(done, total)
        of_all = "" if total is None else f" of {total} ({part:.0%})"
        said = f"{done}{of_all}, {speed:.0f}/s"
        if self._draws:
            click.echo(f"\r\x1b[K{_bar(part)}  {said}", nl=False, err=True)
        elif now - self._said_at >= LINE_SECONDS:
            self._said_at = now
            click.echo(f"{self._name}: {said}", err=True)

    def end(self) -> None:
        if self._draws:
            click.echo(err=True)


async def follow(replays: ReplayService, replay: Replay) -> Replay:
    """Returns it once it does not run any more."""
    progress = Progress(replay.id, replay.replayed + replay.skipped)
    while replay.status == "running":
        await asyncio.sleep(LOOK_SECONDS)
        replay = await replays.get(replay.id)
        progress.show(replay.replayed + replay.skipped, replay.total)
    progress.end()
    return replay


def _bar(part: float) -> str:
    filled = int(part * BAR_WIDTH)
    return f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]"


def _part(done: int, total: int | None) -> float:
    """Nothing to do is all done; of what is not counted yet nothing is known."""
    if total is None:
        return 0.0
    return min(1.0, done / total) if total else 1.0
