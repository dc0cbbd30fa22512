"""Whole processes: what they weigh, and how quickly an event passes through them."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure
from bench.latency import api_latency, event_to_request
from bench.world import Trial, pid_of, resident_megabytes


def one_process(trial: Trial) -> Iterator[Figure]:
    seconds = 4.0 if trial.quick else 15.0
    with trial.up() as ogel:
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
