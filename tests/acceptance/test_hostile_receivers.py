"""Receivers that drip, flood, reset and lie: each costs one place until its deadline, and next to no memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages
from tests.support.lag import first_attempt_lag
from tests.support.memory import forget_peak, peak_resident_bytes, resident_bytes
from tests.support.process import Client, eventually
from tests.support.receivers.hostile import HostileReceivers
from tests.support.receivers.recording import RecordingReceiver
from tests.support.steady_load import SteadyLoad, publish_many

TIMEOUT_SECONDS = 1.0
FREED_SECONDS = TIMEOUT_SECONDS + 1.0
MOST_GROWTH_BYTES = 20_000_000
# Each hostile endpoint takes one request at a time, so the second one shows that the first gave back its place.
EVENTS_PER_ENDPOINT = 2
HEALTHY_PER_SECOND = 50.0
HEALTHY_P99_SECONDS = FREED_SECONDS
PROBE_SECONDS = 1.0


@pytest.fixture
def hostile() -> Iterator[HostileReceivers]:
    with HostileReceivers() as running:
        yield running


def test_hostile_receivers_hold_a_place_no_longer_than_their_deadline(
    start_system: StartSystem, receiver: RecordingReceiver, hostile: HostileReceivers
) -> None:
    system = start_system(workers=1, retry_delays=[600.0], probe_seconds=PROBE_SECONDS)
    api, worker = system.api, system.pids["worker-1"]
    healthy = {"url": receiver.url("/healthy"), "events": ["healthy.*"]}
    api.ok("POST", "/api/webhooks", healthy)
    warm_up(api, hostile, receiver)
    webhooks = {way: create(api, way, url, f"hostile.{way}") for way, url in hostile.urls.items()}

    before = resident_bytes(worker)
    forget_peak(worker)
    with SteadyLoad(api, ["healthy.happened"], HEALTHY_PER_SECOND, "healthy") as load:
        for way in webhooks:
            publish_many(api, f"hostile.{way}", EVENTS_PER_ENDPOINT, way)
        logs = {way: first_attempts(api, webhook) for way, webhook in webhooks.items()}
    growth = peak_resident_bytes(worker) - before
    receiver.wait_for_ids("accepted", [event.id for event in load.published], 10)
    lag = first_attempt_lag(load.published, receiver.visits("/healthy"))

    print(f"\nmemory grew by {growth / 1e6:.1f} MB at most; the healthy endpoint meanwhile: {lag}")
    for way, attempts in logs.items():
        print(way, [(each["outcome"], each["reason"], each["duration_seconds"]) for each in attempts])
        for attempt in attempts:
            assert attempt["duration_seconds"] <= FREED_SECONDS, f"{way}: {attempt}"
            assert len(attempt["response_body"] or "") <= 16 * 1024, way
    assert_cut_off(hostile)
    assert growth < MOST_GROWTH_BYTES
    assert lag.p99 < HEALTHY_P99_SECONDS


def create(api: Client, way: str, url: str, type: str) -> str:
    wanted = {"url": url, "events": [type], "timeout_seconds": TIMEOUT_SECONDS, "max_in_flight": 1}
    id: str = api.ok("POST", "/api/webhooks", wanted)["id"]
    return id


def warm_up(api: Client, hostile: HostileReceivers, receiver: RecordingReceiver) -> None:
    """What is loaded once, TLS with its certificates above all, is no growth."""
    once = create(api, "warm", hostile.urls["tls_reset"], "warm.tls")
    publish_many(api, "warm.tls", 1, "warm-tls")
    ids = publish_many(api, "healthy.warm", 500, "warm")
    receiver.wait_for_ids("accepted", ids, 20, "/healthy")
    eventually(lambda: finished_log(api, once, 1), 10, "the first TLS attempt")


def first_attempts(api: Client, webhook: str) -> Any:
    """One of each delivery. The second waits for the first, and perhaps for a probe's turn."""
    seconds = EVENTS_PER_ENDPOINT * (FREED_SECONDS + PROBE_SECONDS) + 5.0
    return eventually(
        lambda: finished_log(api, webhook, EVENTS_PER_ENDPOINT),
        seconds,
        f"all deliveries of {webhook} to be tried",
    )


def finished_log(api: Client, webhook: str, count: int) -> Any:
    deliveries = all_pages(api, "/api/deliveries", 100, webhook=webhook)
    logs = [api.ok("GET", f"/api/deliveries/{each['id']}")["log"] for each in deliveries]
    tried = [log[0] for log in logs if log and log[0]["duration_seconds"] is not None]
    return tried if len(tried) >= count else None


def assert_cut_off(hostile: HostileReceivers) -> None:
    """As the receivers saw it: nobody stayed, however much there was to read."""
    stays = hostile.stays()
    assert set(stays) == set(hostile.urls)
    for way, visits in stays.items():
        for stay in visits:
            assert stay.closed is not None, f"{way}: a connection is still open"
            assert stay.closed - stay.opened <= FREED_SECONDS, f"{way}: {stay.closed - stay.opened:.1f} s"
