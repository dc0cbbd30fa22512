"""Requests: how many of each kind one `ogel api` answers, beside an empty app on servers of the field."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import uvloop

from bench import peers
from bench.figures import Figure, latencies
from bench.hammer import KEPT_CONNECTIONS, Hammering
from bench.load import Call, in_another_process
from bench.world import Trial, cpu_of_tree, create_key, pid_of, publish
from tests.support.process import ADMIN_KEY

GENTLE_PER_SECOND = 300.0
GENTLE_P99_MILLISECONDS = 20.0
SCOPES = ("events:read", "events:write")


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 1.0 if trial.quick else 5.0
    for name in peers.PEERS:
        if not peers.is_there(trial.peers, name):
            print(f"  no {name} in {trial.peers}: `make bench` installs it", file=sys.stderr)
            continue
        with peers.running(trial, name) as (pid, port):
            yield from _hammered(f"empty app on {name}", pid, port, "/", seconds=seconds, shows_load=True)
    with trial.machine() as here, here.ogel("api") as api:
        key = create_key(api, SCOPES)
        publish(api, 100)
        id = api.api.ok("GET", "/api/events?limit=1")["items"][0]["id"]
        pid, read = pid_of(api), f"/api/events/{id}"
        ask: Callable[..., Iterator[Figure]] = lambda *a, **k: _hammered(*a, seconds=seconds, **k)  # noqa: E731
        yield from ask("liveness", pid, api.port, "/health/live", at_least=10_000)
        yield from ask("read by id, with a key", pid, api.port, read, key, at_least=3_000)
        yield from ask("read by id, with the admin key", pid, api.port, read, ADMIN_KEY)
        yield from ask("list of 25, with a key", pid, api.port, "/api/events?limit=25", key, at_least=1_800)
        yield from ask("publish one", pid, api.port, "/api/events", key, at_least=2_000, publish=True)
        calls = uvloop.run(in_another_process(api.port, GENTLE_PER_SECOND, seconds, reads=0.5))
        yield from _gentle(calls)


def _hammered(
    name: str,
    pid: int,
    port: int,
    path: str,
    key: str = "",
    *,
    seconds: float,
    at_least: float | None = None,
    publish: bool = False,
    shows_load: bool = False,
) -> Iterator[Figure]:
    load = Hammering.start(port, path, key, seconds=seconds, publish=publish)
    before = cpu_of_tree(pid)
    done = load.result()
    cpu = cpu_of_tree(pid) - before
    if done.failed:
        raise RuntimeError(f"{name}: {done.failed} of {len(done.waits)} failed; the first: {done.said}")
    answered = len(done.waits)
    yield Figure(f"{name}, {KEPT_CONNECTIONS} connections", done.per_second, "/s", at_least=at_least)
    yield Figure(f"{name}, CPU of the server for each", cpu / answered * 1e6, "µs")
    if shows_load:
        yield Figure(f"{name}, CPU of the load for each", done.cpu / answered * 1e6, "µs")


def _gentle(calls: list[Call]) -> Iterator[Figure]:
    for kind, what in (("read", "read by id"), ("publish", "publish one")):
        waits = [call.answered - call.asked for call in calls if call.kind == kind]
        name = f"{GENTLE_PER_SECOND:g} requests/s, {what}"
        yield from latencies(name, waits, p99_at_most=GENTLE_P99_MILLISECONDS)
