"""Throughput: one worker draining a backlog, beside the bare HTTP clients and plain RQ at the same POSTs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import uvloop

from bench import receiver
from bench.figures import Figure, latencies
from bench.http_clients import with_aiohttp, with_ours
from bench.world import (
    Machine,
    Trial,
    cpu_seconds,
    create_webhook,
    pid_of,
    publish,
    resident_megabytes,
)

IN_FLIGHT = 1000
RECEIVER_SECONDS = 0.05
DRAIN_DEADLINE_SECONDS = 90.0
RQ_DEADLINE_SECONDS = 90.0
# Events published at once under a steady load.
PER_REQUEST = 50

# From the first attempt's start, by the worker's clock, to the last result's commit, by Postgres's: one machine's.
_DRAINED = """
SELECT count(*), extract(epoch FROM max(d.finished_at) - min(a.started_at))::float8
FROM webhook_deliveries AS d JOIN webhook_attempts AS a ON a.delivery_id = d.id AND a.outcome = 'delivered'
WHERE d.webhook_id = %(webhook)s AND d.status = 'delivered'
"""
_LAG = """
SELECT extract(epoch FROM a.started_at - e.created_at)::float8
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id
JOIN webhook_attempts AS a ON a.delivery_id = d.id AND a.number = 1
WHERE d.webhook_id = %(webhook)s
"""


@dataclass(frozen=True)
class Drain:
    per_second: float
    worker_cpu_microseconds: float
    idle_megabytes: float
    loaded_megabytes: float


def measure(trial: Trial) -> Iterator[Figure]:
    deliveries, jobs = (4_000, 60) if trial.quick else (20_000, 200)
    with trial.machine() as here, receiver.running(RECEIVER_SECONDS) as port:
        url, body = f"http://127.0.0.1:{port}/hook", b"x" * 1100
        ours = drain(here, port, deliveries)
        aiohttp, aiohttp_cpu = uvloop.run(with_aiohttp(url, body, deliveries, IN_FLIGHT))
        egress, egress_cpu = uvloop.run(with_ours(url, body, deliveries, IN_FLIGHT))
        rq = plain_rq(here.redis_url, url, jobs)
        lag = half_load(here, port, ours.per_second / 2, seconds=3.0 if trial.quick else 10.0)
    yield Figure(
        f"a  `ogel worker webhooks`, {deliveries:,} events of 1 KiB, logged",
        ours.per_second,
        "/s",
        at_least=5000,
    )
    yield Figure("b  bare aiohttp loop, the same POSTs", aiohttp, "/s")
    yield Figure("c  bare loop on our egress client", egress, "/s")
    yield Figure(f"d  plain RQ SimpleWorker, {jobs} jobs of one POST", rq, "/s")
    yield Figure("a / b", ours.per_second / aiohttp, "x")
    yield Figure("a / c", ours.per_second / egress, "x")
    yield Figure("a / d", ours.per_second / rq, "x", at_least=100)
    yield Figure("a  CPU of the worker for each delivery", ours.worker_cpu_microseconds, "µs")
    yield Figure("b  CPU for each POST", aiohttp_cpu, "µs")
    yield Figure("c  CPU for each POST", egress_cpu, "µs")
    yield from latencies("a  at half that load, from publishing to the request", lag, p99_at_most=250)
    yield Figure("memory of that worker, ready", ours.idle_megabytes, "MB", at_most=70)
    yield Figure("memory of that worker, backlog drained", ours.loaded_megabytes, "MB", at_most=90)


def drain(here: Machine, port: int, deliveries: int, in_flight: int | None = IN_FLIGHT) -> Drain:
    """
    The backlog is complete, and the API stopped, before the worker starts. `in_flight` is the endpoint's and the
    worker's limit; None: what they have by default.
    """
    limit = {} if in_flight is None else {"OGEL_WORKER_IN_FLIGHT": str(in_flight)}
    with here.ogel("api") as api:
        with here.ogel("worker", "webhooks") as idle:
            cpu_to_start, ready = cpu_seconds(pid_of(idle)), resident_megabytes(pid_of(idle))
        webhook = create_webhook(api, port, in_flight=in_flight)["id"]
        publish(api, deliveries)
    with (
        psycopg.connect(here.database_url, autocommit=True) as connection,
        here.ogel("worker", "webhooks", **limit) as worker,
    ):
        pid = pid_of(worker)
        here.until_delivered(DRAIN_DEADLINE_SECONDS)
        count, seconds = connection.execute(_DRAINED, {"webhook": webhook}).fetchone() or (0, 0.0)
        cpu, loaded = cpu_seconds(pid), resident_megabytes(pid)
    if count != deliveries:
        raise RuntimeError(f"{count} of {deliveries} deliveries have one successful attempt")
    return Drain(count / seconds, (cpu - cpu_to_start) / count * 1e6, ready, loaded)


def half_load(here: Machine, port: int, per_second: float, seconds: float) -> list[float]:
    """
    Seconds from the event's row to its request, by Postgres's and the worker's clocks, while events come steadily, 50
    to a request. The API that publishes them shares the machine.
    """
    worker_places = {"OGEL_WORKER_IN_FLIGHT": str(IN_FLIGHT)}
    with here.ogel("api") as api, here.ogel("worker", "webhooks", **worker_places):
        webhook = create_webhook(api, port, "steady.*")["id"]
        began = time.monotonic()
        for n in range(int(per_second * seconds / PER_REQUEST)):
            time.sleep(max(0.0, began + n * PER_REQUEST / per_second - time.monotonic()))
            publish(api, PER_REQUEST, "steady.happened")
        with psycopg.connect(here.database_url, autocommit=True) as connection:
            here.until_delivered(DRAIN_DEADLINE_SECONDS)
            rows = connection.execute(_LAG, {"webhook": webhook}).fetchall()
    return [row[0] for row in rows]


def plain_rq(redis_url: str, url: str, jobs: int) -> float:
    command = [sys.executable, "-m", "bench.plain_rq", redis_url, url, str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RQ_DEADLINE_SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"plain RQ: {done.stderr}")
    return jobs / float(done.stdout)
