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
HEALTHY_P99_SECONDS = 1.0
# Of these requests a second; so many may be open at once that those that hang could take all places.
HANGING_PER_SECOND = EVENTS_PER_SECOND * HANGING / ENDPOINTS
SHARE_IN_FLIGHT = 5 / 6
TYPES = [f"isolation.e{n}" for n in range(ENDPOINTS)]


def test_hanging_endpoints_do_not_delay_healthy_ones(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    """For longer than two timeouts: the second ones find their endpoints known."""
    compare(start_system, receiver, timeout_seconds=3.0, seconds=2.4 * 3.0, healthy_seconds=2.0)


@pytest.mark.long
def test_nor_do_they_for_a_minute(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    compare(start_system, receiver, timeout_seconds=5.0, seconds=60.0, healthy_seconds=5.0)


def compare(
    start_system: StartSystem,
    receiver: RecordingReceiver,
    timeout_seconds: float,
    seconds: float,
    healthy_seconds: float,
) -> None:
    in_flight = round(HANGING_PER_SECOND * timeout_seconds * SHARE_IN_FLIGHT)
    system = start_system(workers=1, in_flight=in_flight)
    for type in TYPES:
        create(system.api, receiver, type, timeout_seconds)
    alone = lag_of(publish_for(healthy_seconds, system.api, "alone"), receiver)
    for type in TYPES[:HANGING]:
        receiver.answer(f"/{type}", Answer(hang=True))
    beside = lag_of(publish_for(seconds, system.api, "beside"), receiver)
    print(f"\nhealthy endpoints alone: {alone}\nbeside {HANGING} hanging ones: {beside}")
    assert beside.p99 < HEALTHY_P99_SECONDS


def create(api: Client, receiver: RecordingReceiver, type: str, timeout_seconds: float) -> None:
    wanted = {"url": receiver.url(f"/{type}"), "events": [type], "timeout_seconds": timeout_seconds}
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
