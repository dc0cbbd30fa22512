"""Requests: how many of each kind one `ogel api` answers, beside an empty app on servers of the field."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from bench import peers
from bench.figures import Figure, latencies
from bench.hammer import KEPT_CONNECTIONS, Hammered, Hammering
from bench.load import Call, in_another_process
from bench.world import Trial, cpu_of_tree, create_key, path_of_an_event, pid_of, publish
from tests.support.process import ADMIN_KEY

GENTLE_PER_SECOND = 300.0
GENTLE_P99_MILLISECONDS = 20.0
SCOPES = ("events:read", "events:write")


@dataclass(frozen=True)
class Asked:
    """A request that is made over and over; `at_least` so many times a second."""

    name: str
    path: str
    key: str = ""
    at_least: float | None = None
    publishes: bool = False


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 1.0 if trial.quick else 5.0
    yield from _of_peers(trial, seconds)
    with trial.machine() as here, here.ogel("api") as api:
        key = create_key(api, SCOPES)
        publish(api, 100)
        read = path_of_an_event(api)
        for asked in (
            Asked("liveness", "/health/live", at_least=10_000),
            Asked("read by id, with a key", read, key, at_least=3_000),
            Asked("read by id, with the admin key", read, ADMIN_KEY),
            Asked("list of 25, with a key", "/api/events?limit=25", key, at_least=1_800),
            Asked("publish one, with a key", "/api/events", key, at_least=2_000, publishes=True),
        ):
            done, cpu = _hammered(asked, pid_of(api), api.port, seconds)
            yield from _figures(asked, done, cpu)
        yield from _gentle(uvloop.run(in_another_process(api.port, GENTLE_PER_SECOND, seconds, reads=0.5)))


def _of_peers(trial: Trial, seconds: float) -> Iterator[Figure]:
    for name in peers.PEERS:
        if not peers.is_there(trial.peers, name):
            print(f"  no {name} in {trial.peers}: `make bench` installs it", file=sys.stderr)
            continue
        asked = Asked(f"empty app on {name}", "/")
        with peers.running(trial, name) as (pid, port):
            done, cpu = _hammered(asked, pid, port, seconds)
        yield from _figures(asked, done, cpu)
        yield Figure(f"{asked.name}, CPU of the load for each", done.cpu / len(done.waits) * 1e6, "µs")


def _hammered(asked: Asked, pid: int, port: int, seconds: float) -> tuple[Hammered, float]:
    """And the seconds of processor time of the process meanwhile."""
    load = Hammering.start(port, asked.path, asked.key, seconds=seconds, publish=asked.publishes)
    before = cpu_of_tree(pid)
    done = load.result()
    if done.failed:
        raise RuntimeError(f"{asked.name}: {done.failed} failed; the first: {done.said}")
    return done, cpu_of_tree(pid) - before


def _figures(asked: Asked, done: Hammered, cpu: float) -> Iterator[Figure]:
    name = f"{asked.name}, {KEPT_CONNECTIONS} connections"
    yield Figure(name, done.per_second, "/s", at_least=asked.at_least)
    yield Figure(f"{asked.name}, CPU of the server for each", cpu / len(done.waits) * 1e6, "µs")


def _gentle(calls: list[Call]) -> Iterator[Figure]:
    for kind, what in (("read", "read by id"), ("publish", "publish one")):
        waits = [call.answered - call.asked for call in calls if call.kind == kind]
        name = f"{GENTLE_PER_SECOND:g} requests/s, {what}"
        yield from latencies(name, waits, p99_at_most=GENTLE_P99_MILLISECONDS)
