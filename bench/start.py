"""Start: how soon a command answers and a suite is ready, and by its own log where that time goes."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.figures import Figure
from bench.world import Trial

TIMES, QUICK_TIMES = 5, 1
HELP_DEADLINE_SECONDS = 60.0
FIRST_SECONDS, AGAIN_SECONDS = 2.0, 1.0
# The events of the log that mark a stage's end, and what it was.
_STAGES = {
    "embedded.started": "imports, PostgreSQL and Valkey",
    "migration.applied": "other imports, migrations",
    "process.ready": "pool, queues, listening",
}


def measure(trial: Trial) -> Iterator[Figure]:
    times = QUICK_TIMES if trial.quick else TIMES
    helped = [_help_seconds(trial) for _ in range(times)]
    yield Figure("`ogel --help`", statistics.median(helped), "s", at_most=0.3)
    runs = [list(_started(trial, n)) for n in range(times)]
    for same in zip(*runs, strict=False):
        name, _, target = same[0]
        yield Figure(name, statistics.median(seconds for _, seconds, _ in same), "s", at_most=target)


def _started(trial: Trial, number: int) -> Iterator[tuple[str, float, float | None]]:
    """Name, seconds, target: of a first start in a new directory, and of a second one in it."""
    home = trial.directory / str(number)
    home.mkdir()
    mine = Trial(home, trial.python, trial.quick, trial.code)
    for when, target in (("first time", FIRST_SECONDS), ("again", AGAIN_SECONDS)):
        log = home / "up.log"
        known = log.stat().st_size if log.exists() else 0
        at, began = time.time(), time.perf_counter()
        with mine.up():
            yield f"`ogel up` ready, {when}", time.perf_counter() - began, target
        for stage, seconds in _stages(log, known, at):
            yield f"… {when}: {stage}", seconds, None


def _stages(log: Path, known: int, began: float) -> Iterator[tuple[str, float]]:
    """Seconds of each stage, by the last line of each event since then; what is not logged belongs to the next."""
    ends: dict[str, float] = {}
    for line in log.read_bytes()[known:].splitlines():
        if line.startswith(b"{"):
            said = json.loads(line)
            ends[said["message"]] = datetime.fromisoformat(said["time"]).timestamp()
    before = began
    for event, stage in _STAGES.items():
        if event in ends:
            yield stage, ends[event] - before
            before = ends[event]


def _help_seconds(trial: Trial) -> float:
    began = time.perf_counter()
    command = [trial.python, "-m", "ogel", "--help"]
    environment = {**trial.code_first, "PATH": "/usr/bin:/bin"}
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=HELP_DEADLINE_SECONDS
    )
    return time.perf_counter() - began
