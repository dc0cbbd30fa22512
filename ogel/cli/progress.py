"""How far a replay is, while somebody waits for it: a bar on a terminal, elsewhere a line now and then; on stderr."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ogel.features.webhooks.replays.replay import Replay
    from ogel.features.webhooks.replays.service import ReplayService

LOOK_SECONDS = 0.5
LINE_SECONDS = 10.0
BAR_WIDTH = 30


async def follow(replays: ReplayService, replay: Replay) -> Replay:
    """Returns it once it does not run any more."""
    loop = asyncio.get_running_loop()
    draws = sys.stderr.isatty()
    began, from_the_start, said_at = loop.time(), replay.replayed, loop.time()
    while replay.status == "running":
        await asyncio.sleep(LOOK_SECONDS)
        replay = await replays.get(replay.id)
        now = loop.time()
        speed = (replay.replayed - from_the_start) / (now - began)
        if draws:
            click.echo(f"\r\x1b[K{_bar(replay)}  {_said(replay, speed)}", nl=False, err=True)
        elif now - said_at >= LINE_SECONDS:
            said_at = now
            click.echo(f"{replay.id}: {_said(replay, speed)}", err=True)
    if draws:
        click.echo(err=True)
    return replay


def _bar(replay: Replay) -> str:
    filled = int(_part(replay) * BAR_WIDTH)
    return f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]"


def _part(replay: Replay) -> float:
    if not replay.total:
        return 1.0 if replay.status == "completed" else 0.0
    return min(1.0, (replay.replayed + replay.skipped) / replay.total)


def _said(replay: Replay, speed: float) -> str:
    counted = "" if replay.total is None else f" of {replay.total} ({_part(replay):.0%})"
    return f"{replay.replayed + replay.skipped}{counted}, {speed:.0f}/s"
