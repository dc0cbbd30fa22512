"""Whole processes: how fast they start, what they weigh, and how quickly an event passes through them."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator

from bench.figures import Figure
from bench.latency import api_latency, event_to_request
from bench.world import Trial, pid_of, resident_megabytes

HELP_TIMES = 5
HELP_DEADLINE_SECONDS = 30.0


def one_process(trial: Trial) -> Iterator[Figure]:
    seconds = 4.0 if trial.quick else 15.0
    yield Figure("`ogel --help`, median of 5", _help_seconds(trial.python), "s", at_most=0.3)
    started = time.perf_counter()
    with trial.up():
        yield Figure(
            "`ogel up` ready, first time (initdb, migrations)", time.perf_counter() - started, "s", at_most=8
        )
    started = time.perf_counter()
    with trial.up() as ogel:
        yield Figure("`ogel up` ready, after that", time.perf_counter() - started, "s", at_most=3)
        yield Figure("memory of `ogel up`, idle", resident_megabytes(pid_of(ogel)), "MB", at_most=110)
        yield from event_to_request("200 events/s", ogel, seconds)
        yield from api_latency("300 requests/s", ogel, seconds)
        yield Figure("memory of `ogel up`, after that load", resident_megabytes(pid_of(ogel)), "MB")


def two_processes(trial: Trial) -> Iterator[Figure]:
    with trial.machine() as here, here.ogel("api") as api, here.ogel("worker", "webhooks") as worker:
        yield Figure("memory of `ogel api`, idle", resident_megabytes(pid_of(api)), "MB")
        yield Figure(
            "memory of `ogel worker webhooks`, idle", resident_megabytes(pid_of(worker)), "MB", at_most=70
        )
        yield from event_to_request("200 events/s", api, 4.0 if trial.quick else 15.0)
        yield Figure("memory of `ogel worker webhooks`, after that", resident_megabytes(pid_of(worker)), "MB")


def _help_seconds(python: str) -> float:
    times = []
    for _ in range(HELP_TIMES):
        started = time.perf_counter()
        command = [python, "-m", "ogel", "--help"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=HELP_DEADLINE_SECONDS)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
