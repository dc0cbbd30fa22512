"""What each part of a request and of a delivery costs: processor time, metered in the process that does the work."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench import peers, receiver
from bench.figures import Figure
from bench.hammer import Hammering
from bench.load import in_another_process
from bench.world import (
    HERE,
    Machine,
    Trial,
    cpu_of_tree,
    create_key,
    create_webhook,
    path_of_an_event,
    pid_of,
    publish,
)
from tests.support.process import Ogel, eventually

CONNECTIONS = 8
SCOPES = ("events:read", "events:write")
FEW_PER_SECOND = 50.0
TELL_SECONDS = 60.0
DRAIN_SECONDS = 120.0
# Name and meter; indented, what is within the one above it.
REQUEST_PARTS = (
    ("the app", "app"),
    ("  handing over the answer", "send"),
    ("  looking up the key", "key"),
    ("  its metrics and its line in the log", "observe"),
)
HANDLERS = {
    "read": (("  the handler, with its SQL", "read"),),
    "publish": (
        ("  the handler, waiting for its transaction", "publish"),
        ("its share of the transaction", "publish transaction"),
        ("  finding endpoints", "fan-out"),
        ("  writing event, deliveries and jobs", "outbox"),
    ),
    "live": (),
}
DELIVERY_PARTS = (
    ("claiming", "claim"),
    ("loading", "load"),
    ("the attempt", "attempt"),
    ("  signing", "sign"),
    ("  handing over the request", "post"),
    ("reading the answer", "answer"),
    ("writing the result", "result"),
)


@dataclass
class Spent:
    """Seconds of the processor: in all, of each meter by its name, and Postgres's."""

    whole: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    postgres: float = 0.0


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 1.0 if trial.quick else 5.0
    if peers.is_there(trial.peers, "hypercorn"):
        with peers.running(trial, "hypercorn") as (pid, port):
            load = Hammering.start(port, "/", seconds=seconds, connections=CONNECTIONS)
            before = cpu_of_tree(pid)
            answered = len(load.result().waits)
            yield Figure("empty app on hypercorn", (cpu_of_tree(pid) - before) / answered * 1e6, "µs")
    else:
        print(f"  no hypercorn in {trial.peers}: `make bench` installs it", file=sys.stderr)
    with trial.machine() as here:
        yield from _requests(here, seconds)
        yield from _log_line(here, seconds)
        yield from _deliveries(here, seconds)


def _requests(here: Machine, seconds: float) -> Iterator[Figure]:
    with _metered(here, "api") as api:
        key = create_key(api, SCOPES)
        create_webhook(api, 9)
        for kind, path in (
            ("live", "/health/live"),
            ("read", path_of_an_event(api)),
            ("publish", "/api/events"),
        ):
            load = Hammering.start(
                api.port, path, key, seconds=seconds, publish=kind == "publish", connections=CONNECTIONS
            )
            with _spent(here, api) as spent:
                done = load.result()
            if done.failed:
                raise RuntimeError(f"{kind}: {done.failed} failed; the first: {done.said}")
            parts = (*REQUEST_PARTS, *HANDLERS[kind])
            yield from _shown(kind, spent, len(done.waits), parts, ("app", "publish transaction"))


def _log_line(here: Machine, seconds: float) -> Iterator[Figure]:
    """By taking it away: parts of it may be written elsewhere than on the request's path."""
    costs = []
    for level in ("info", "warning"):
        with here.ogel("api", LOG_LEVEL=level) as api:
            read = path_of_an_event(api)
            load = Hammering.start(
                api.port, read, create_key(api, SCOPES), seconds=seconds, connections=CONNECTIONS
            )
            with _spent(here, api) as spent:
                done = load.result()
            costs.append(spent.whole / len(done.waits))
    yield Figure("read, unmetered", costs[0] * 1e6, "µs")
    yield Figure("read, of that the line in the log", (costs[0] - costs[1]) * 1e6, "µs")


def _deliveries(here: Machine, seconds: float) -> Iterator[Figure]:
    backlog = 500 if seconds < 5 else 5_000
    with receiver.running(0.0) as port, here.ogel("api") as api:
        here.forget_jobs()
        create_webhook(api, port, "part.*")
        with _metered(here, "worker", "webhooks") as worker:
            with _spent(here, worker) as spent:
                load = in_another_process(api.port, FEW_PER_SECOND, seconds, type="part.happened")
                few = len(uvloop.run(load))
                here.until_delivered(DRAIN_SECONDS)
            yield from _delivered(f"delivery, {FEW_PER_SECOND:g}/s", spent, few)
        publish(api, backlog, "part.happened")
        with _metered(here, "worker", "webhooks") as worker, _spent(here, worker) as spent:
            here.until_delivered(DRAIN_SECONDS)
        yield from _delivered("delivery, of a backlog", spent, backlog)


def _delivered(name: str, spent: Spent, count: int) -> Iterator[Figure]:
    yield from _shown(name, spent, count, DELIVERY_PARTS, ("claim", "load", "attempt", "answer", "result"))


def _shown(
    name: str, spent: Spent, count: int, parts: tuple[tuple[str, str], ...], disjoint: tuple[str, ...]
) -> Iterator[Figure]:
    """For each of `count`. What is in none of the `disjoint` parts is the rest."""
    yield Figure(f"{name}: the process", spent.whole / count * 1e6, "µs")
    for what, meter in parts:
        if spent.parts.get(meter):
            yield Figure(f"{name}:   {what}", spent.parts[meter] / count * 1e6, "µs")
    rest = spent.whole - sum(spent.parts.get(meter, 0.0) for meter in disjoint)
    yield Figure(f"{name}:   the rest: the door, the event loop", rest / count * 1e6, "µs")
    yield Figure(f"{name}: Postgres", spent.postgres / count * 1e6, "µs")


def _metered(here: Machine, *arguments: str) -> Ogel:
    path = os.pathsep.join((str(here.trial.code), str(HERE / "bench/inside")))
    metered = str(_meters_of(here))
    return here.ogel(*arguments, module="metered", PYTHONPATH=path, METERED=metered)


def _meters_of(here: Machine) -> Path:
    return here.trial.directory / "meters.json"


@contextmanager
def _spent(here: Machine, ogel: Ogel) -> Iterator[Spent]:
    """Filled when the block ends: what was spent in it."""
    spent, pid, postgres = Spent(), pid_of(ogel), here.server_pids["postgres"]
    before = cpu_of_tree(pid), _read(here, ogel), cpu_of_tree(postgres)
    yield spent
    after = cpu_of_tree(pid), _read(here, ogel), cpu_of_tree(postgres)
    spent.whole, spent.postgres = after[0] - before[0], after[2] - before[2]
    spent.parts = {name: seconds - before[1].get(name, 0.0) for name, seconds in after[1].items()}


def _read(here: Machine, ogel: Ogel) -> Mapping[str, float]:
    """Seconds by meter; none of a process without meters."""
    if "METERED" not in ogel.environment:
        return {}
    file = _meters_of(here)
    file.unlink(missing_ok=True)
    os.kill(pid_of(ogel), signal.SIGUSR1)
    eventually(file.exists, TELL_SECONDS, "the process to tell its meters")
    return {name: seconds for name, (_, seconds) in json.loads(file.read_text()).items()}
