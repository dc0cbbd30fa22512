"""How far long work is, while somebody waits for it: a bar on a terminal, elsewhere a line now and then; on stderr."""

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


class Meter:
    """`name` is what the lines are about, where nothing can be drawn."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._draws = sys.stderr.isatty()
        self._said_at = time.monotonic()

    def show(self, part: float, said: str) -> None:
        """`part` of the whole is done."""
        now = time.monotonic()
        if self._draws:
            filled = int(min(1.0, part) * BAR_WIDTH)
            click.echo(f"\r\x1b[K[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]  {said}", nl=False, err=True)
        elif now - self._said_at >= LINE_SECONDS:
            self._said_at = now
            click.echo(f"{self._name}: {said}", err=True)

    def end(self) -> None:
        if self._draws:
            click.echo(err=True)


async def follow(replays: ReplayService, replay: Replay) -> Replay:
    """Returns it once it does not run any more."""
    loop, meter = asyncio.get_running_loop(), Meter(replay.id)
    began, from_the_start = loop.time(), replay.replayed
    while replay.status == "running":
        await asyncio.sleep(LOOK_SECONDS)
        replay = await replays.get(replay.id)
        speed = (replay.replayed - from_the_start) / (loop.time() - began)
        meter.show(_part(replay), _said(replay, speed))
    meter.end()
    return replay


def _part(replay: Replay) -> float:
    if not replay.total:
        return 1.0 if replay.status == "completed" else 0.0
    return min(1.0, (replay.replayed + replay.skipped) / replay.total)


def _said(replay: Replay, speed: float) -> str:
    counted = "" if replay.total is None else f" of {replay.total} ({_part(replay):.0%})"
    return f"{replay.replayed + replay.skipped}{counted}, {speed:.0f}/s"
