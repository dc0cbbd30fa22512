"""What clients that mean no good cost the others: how long these wait, and what stays behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench import attackers
from bench.figures import Figure, latencies, quantile
from bench.hammer import Hammered, Hammering
from bench.world import Trial, create_key, path_of_an_event, pid_of, resident_megabytes
from tests.support.process import Ogel

OTHERS, OTHERS_PER_SECOND = 4, 100.0
SCOPES = ("events:read", "events:write", "realtime:read")
WHAT = {
    "pings": "one WebSocket pings without pause",
    "headers": "4 connections send 3,500 headers each",
    "bodies": "6 MB JSON bodies are refused",
}
GROWN_MEGABYTES = 20.0
# 300,000 answers for nobody once took two minutes; longer than this nobody watches.
MOST_BUSY_SECONDS, BUSY_STEP_SECONDS = 10.0, 0.25


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 2.0 if trial.quick else 5.0
    with trial.machine() as here, here.ogel("up") as up:
        key = create_key(up, SCOPES)
        read = path_of_an_event(up)
        alone = _others(up, read, key, seconds)
        yield from latencies("others alone, read by id", alone.waits)
        for kind, what in WHAT.items():
            before = resident_megabytes(pid_of(up))
            with attackers.running(kind, up.port, key, seconds + 1.0):
                beside = _others(up, read, key, seconds)
            yield from latencies(f"{what}: others", beside.waits)
            if kind == "pings":
                p99, alone_p99 = (quantile(sorted(each.waits), 0.99) for each in (beside, alone))
                yield Figure(f"{what}: p99 / alone", p99 / alone_p99, "x", at_most=1.2)
            if kind == "bodies":
                grown = resident_megabytes(pid_of(up)) - before
                yield Figure(f"{what}: growth", grown, "MB", at_most=GROWN_MEGABYTES)
        yield from _gone(up, read, key, seconds)
        up.kill()  # it may be busy with those for minutes, and how it stops is not measured here


def _gone(up: Ogel, read: str, key: str, seconds: float) -> Iterator[Figure]:
    name = "300 clients ask 1,000 times each and go"
    with attackers.running("gone", up.port, key, attackers.END_SECONDS) as attack:
        load = Hammering.start(
            up.port, read, key, seconds=seconds, connections=OTHERS, rate=OTHERS_PER_SECOND
        )
        attack.wait(attackers.END_SECONDS)
        yield Figure(f"{name}: busy for them after that", _busy_seconds(up), "s", at_most=1)
        yield from latencies(f"{name}: others", load.result().waits)


def _busy_seconds(up: Ogel) -> float:
    """How long from now until it works for less than half of the time, or for as long as it is looked at."""
    pid, began = pid_of(up), time.monotonic()
    while (since := time.monotonic()) - began < MOST_BUSY_SECONDS:
        before = _at_work(pid)
        time.sleep(BUSY_STEP_SECONDS)
        if _at_work(pid) - before < (time.monotonic() - since) / 2:
            return since - began
    return MOST_BUSY_SECONDS


def _at_work(pid: int) -> float:
    """Seconds for which its event loop ran or, on a busy machine, waited for its turn to. Linux only."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return (int(ran) + int(waited)) / 1e9


def _others(up: Ogel, read: str, key: str, seconds: float) -> Hammered:
    """Those that are not answered at all count with how long they have waited."""
    load = Hammering.start(up.port, read, key, seconds=seconds, connections=OTHERS, rate=OTHERS_PER_SECOND)
    return load.result()
