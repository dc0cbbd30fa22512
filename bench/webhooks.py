"""
The path of an event through one `ogel up`: a few a second, as many as it takes, to many endpoints, past some that hang.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import uvloop

from bench import deliveries, receiver
from bench.figures import Figure, latencies
from bench.hammer import Hammering
from bench.latency import PATH, loaded
from bench.load import in_another_process
from bench.receiver import Arrivals
from bench.world import Machine, Trial, cpu_of_tree, create_webhook, pid_of
from tests.support.process import ADMIN_KEY, Ogel

FEW_PER_SECOND, SOME_PER_SECOND = 50.0, 200.0
PUBLISHERS = (16, 64, 200)
FAN_OUT_EVENTS, FAN_OUT_ENDPOINTS = 100, 100
PARTS_PER_SECOND = 50.0
HEALTHY, HANGING = 7, 3
HANG_SECONDS = 60.0
# What has not arrived so long after the last was published counts as not arrived.
GRACE_SECONDS = 5.0
DEADLINE_SECONDS = 120.0


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 2.0 if trial.quick else 15.0
    with trial.machine() as here, here.ogel("up") as up:
        yield from _few(here, up, seconds)
        yield from _some(up, seconds)
        yield from _publishers(here, up, seconds / 3)
        yield from _fan_out(here, up)
        yield from _beside_hanging(up, seconds)
    with trial.machine() as here, receiver.running(0.0) as port:
        backlog = 2_000 if trial.quick else 10_000
        drained = deliveries.drain(here, port, backlog, in_flight=None)
        name = f"backlog of {backlog:,} drained, one endpoint, limits as they ship"
        yield Figure(name, drained.per_second, "/s", at_least=4000)


def _few(here: Machine, up: Ogel, seconds: float) -> Iterator[Figure]:
    """Processor time is that of whole trees of processes, whatever else they do meanwhile."""
    roots = {"server": pid_of(up), **here.server_pids}
    before = {name: cpu_of_tree(pid) for name, pid in roots.items()}
    calls, arrivals = loaded(up, FEW_PER_SECOND, seconds, receiver_seconds=0.0)
    spent = {name: cpu_of_tree(pid) - before[name] for name, pid in roots.items()}
    name = f"{FEW_PER_SECOND:g} events/s"
    waits = [arrivals[call.id] - call.sent for call in calls]
    yield from latencies(f"{name}, sent to arrived", waits, p99_at_most=12, p50_at_most=4)
    for part, most in (("server", 2.4), ("postgres", 1.4), ("redis", None)):
        each_thousand = spent[part] / len(arrivals) * 1000
        yield Figure(f"{name}, CPU of {part} for 1,000 deliveries", each_thousand, "s", at_most=most)


def _some(up: Ogel, seconds: float) -> Iterator[Figure]:
    calls, arrivals = loaded(up, SOME_PER_SECOND, seconds, receiver_seconds=0.0)
    name = f"{SOME_PER_SECOND:g} events/s"
    waits = [arrivals[call.id] - call.sent for call in calls]
    yield from latencies(f"{name}, sent to arrived", waits, p99_at_most=15, p50_at_most=5)
    answers = [call.answered - call.sent for call in calls]
    yield from latencies(f"{name}, sent to answered", answers, p50_at_most=3)


def _publishers(here: Machine, up: Ogel, seconds: float) -> Iterator[Figure]:
    """From the first arrival to the last, the tail that is delivered after the last was published in it."""
    best = 0.0
    for publishers in PUBLISHERS:
        with receiver.running(0.0, stamps=True) as port:
            webhook = create_webhook(up, port, path=PATH)
            done = Hammering.start(
                up.port, "/api/events", ADMIN_KEY, seconds=seconds, publish=True, connections=publishers
            ).result()
            if done.failed:
                raise RuntimeError(f"{publishers} publishers: {done.failed} failed; the first: {done.said}")
            here.until_delivered(DEADLINE_SECONDS)
            arrivals = Arrivals.at(port)
            up.api.ok("DELETE", f"/api/webhooks/{webhook['id']}")
        per_second = len(arrivals.first) / (arrivals.last - min(arrivals.first.values()))
        best = max(best, per_second)
        yield Figure(f"single publishes to arrivals, {publishers} publishers", per_second, "/s")
    yield Figure("single publishes to arrivals, the best of these", best, "/s", at_least=1800)


def _fan_out(here: Machine, up: Ogel) -> Iterator[Figure]:
    wanted = FAN_OUT_EVENTS * FAN_OUT_ENDPOINTS
    with receiver.running(0.0, stamps=True) as port:
        hooks = [create_webhook(up, port, "fan.*", f"/{n}", None) for n in range(FAN_OUT_ENDPOINTS)]
        began = time.monotonic()
        up.api.ok(
            "POST", "/api/events", [{"type": "fan.out", "data": {"n": n}} for n in range(FAN_OUT_EVENTS)]
        )
        here.until_delivered(DEADLINE_SECONDS)
        first = Arrivals.at(port).first
        assert len(first) == wanted, f"{len(first)} of {wanted} were delivered"
        took = max(first.values()) - began
        for hook in hooks:
            up.api.ok("DELETE", f"/api/webhooks/{hook['id']}")
    name = f"{FAN_OUT_EVENTS} events to {FAN_OUT_ENDPOINTS} endpoints each, deliveries"
    yield Figure(name, wanted / took, "/s", at_least=4000)


def _beside_hanging(up: Ogel, seconds: float) -> Iterator[Figure]:
    with receiver.running(0.0, stamps=True) as healthy, receiver.running(HANG_SECONDS) as hanging:
        ports = [healthy] * HEALTHY + [hanging] * HANGING
        hooks = [create_webhook(up, port, "part.*", f"/{n}", None) for n, port in enumerate(ports)]
        load = in_another_process(up.port, PARTS_PER_SECOND, seconds, type="part.happened")
        calls = uvloop.run(load)
        sent = {f"/{n} {call.id}": call.sent for call in calls for n in range(HEALTHY)}
        first = _soon(healthy, set(sent))
        for hook in hooks:
            up.api.ok("DELETE", f"/api/webhooks/{hook['id']}")
    waits = [first[name] - at for name, at in sent.items() if name in first]
    name = f"{HANGING} of {HEALTHY + HANGING} endpoints hang, {PARTS_PER_SECOND:g} events/s"
    yield Figure(f"{name}, healthy that arrived", len(waits) / len(sent) * 100, "%", at_least=100)
    yield from latencies(f"{name}, those", waits)


def _soon(port: int, wanted: set[str]) -> dict[str, float]:
    """What has come in when all of it has, or after the grace."""
    deadline = time.monotonic() + GRACE_SECONDS
    while not wanted <= (first := Arrivals.at(port).first).keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    return first
