"""Endpoints that hang cost those beside them nothing that anyone would notice."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.lag import Lag, first_attempt_lag
from tests.support.process import Client
from tests.support.receivers.recording import Answer, RecordingReceiver
from tests.support.steady_load import Published, SteadyLoad

ENDPOINTS = 100
HANGING = 30
EVENTS_PER_SECOND = 200.0
TIMEOUT_SECONDS = 5.0
HEALTHY_P99_SECONDS = 1.0
# So many requests may be open at once that the hanging endpoints could take them all: 60 a second, 5 s each.
IN_FLIGHT = 250
TYPES = [f"isolation.e{n}" for n in range(ENDPOINTS)]


def test_hanging_endpoints_do_not_delay_healthy_ones(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    """For longer than two timeouts: the second ones find their endpoints known."""
    compare(start_system, receiver, in_flight=IN_FLIGHT, seconds=2.4 * TIMEOUT_SECONDS, healthy_seconds=3.0)


@pytest.mark.long
def test_nor_do_they_for_a_minute(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    compare(start_system, receiver, in_flight=IN_FLIGHT, seconds=60.0, healthy_seconds=5.0)


def compare(
    start_system: StartSystem,
    receiver: RecordingReceiver,
    in_flight: int,
    seconds: float,
    healthy_seconds: float,
) -> None:
    system = start_system(workers=1, in_flight=in_flight)
    for type in TYPES:
        create(system.api, receiver, type)
    alone = lag_of(publish_for(healthy_seconds, system.api, "alone"), receiver)
    for type in TYPES[:HANGING]:
        receiver.answer(f"/{type}", Answer(hang=True))
    beside = lag_of(publish_for(seconds, system.api, "beside"), receiver)
    print(f"\nhealthy endpoints alone: {alone}\nbeside {HANGING} hanging ones: {beside}")
    assert beside.p99 < HEALTHY_P99_SECONDS


def create(api: Client, receiver: RecordingReceiver, type: str) -> None:
    wanted = {"url": receiver.url(f"/{type}"), "events": [type], "timeout_seconds": TIMEOUT_SECONDS}
    api.ok("POST", "/api/webhooks", wanted)


def publish_for(seconds: float, api: Client, name: str) -> list[Published]:
    with SteadyLoad(api, TYPES, EVENTS_PER_SECOND, name) as load:
        time.sleep(seconds)
    return load.published


def lag_of(published: list[Published], receiver: RecordingReceiver) -> Lag:
    """Of those endpoints that never hang, once all their events have come."""
    healthy = [event for event in published if event.type in TYPES[HANGING:]]
    receiver.wait_for_ids("events", [event.id for event in healthy], 30)
    return first_attempt_lag(healthy, receiver.visits())
