"""An endpoint that was down comes back to a heap of deliveries: it gets them soon, and nobody else notices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages
from tests.support.lag import BUSY_SECONDS, QUIET_SECONDS, Lag, first_attempt_lag
from tests.support.process import Client, eventually
from tests.support.receivers.recording import Answer, RecordingReceiver
from tests.support.steady_load import SteadyLoad, publish_many

DRAINED_SECONDS = 60.0
PROBE_SECONDS = 1.0
# Long enough for a few probes, and for a hundred events to measure the others' lag by.
LOOK_SECONDS = 3.0
OTHERS = [f"other.e{n}" for n in range(10)]
OTHERS_PER_SECOND = 50.0
# Nobody waits for a delivery's own time to be tried again: only a recovery that empties the queue passes.
RETRY_DELAYS = [600.0] * 9


def test_a_backlog_is_drained_when_its_endpoint_is_back(
    start_system: StartSystem, start_control: StartSystem, receiver: RecordingReceiver
) -> None:
    fail_and_take(start_system, receiver, 1_000, start_control(workers=1).api)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("way_down", ["refusing connections", "answering 503"])
def test_a_backlog_of_ten_thousand_is_drained(
    start_system: StartSystem, receiver: RecordingReceiver, way_down: str
) -> None:
    take = refuse_and_take if way_down == "refusing connections" else fail_and_take
    take(start_system, receiver, 10_000)


def refuse_and_take(
    start_system: StartSystem, receiver: RecordingReceiver, backlog: int, control: Client | None = None
) -> None:
    port = receiver.open_port()
    receiver.close_port(port)
    down_and_up(
        start_system,
        receiver,
        receiver.url("/down", port),
        backlog,
        control,
        up=lambda: receiver.open_port(port),
        attempts=attempts_by_log,
    )


def fail_and_take(
    start_system: StartSystem, receiver: RecordingReceiver, backlog: int, control: Client | None = None
) -> None:
    receiver.answer("/down", Answer(503))
    down_and_up(
        start_system,
        receiver,
        receiver.url("/down"),
        backlog,
        control,
        up=lambda: receiver.answer("/down", Answer()),
        attempts=lambda *_: receiver.count("requests", "/down"),
    )


def down_and_up(
    start_system: StartSystem,
    receiver: RecordingReceiver,
    url: str,
    backlog: int,
    control: Client | None,
    up: Callable[[], Any],
    attempts: Callable[[Client, str], int],
) -> None:
    """
    On a quiet machine the others must be served as they were before. On a busy one that says nothing: then as well as
    on a `control` that has no backlog, in the same moment.
    """
    api = start_system(workers=1, probe_seconds=PROBE_SECONDS, retry_delays=RETRY_DELAYS).api
    systems = [api] if control is None else [api, control]
    for type in OTHERS:
        for system in systems:
            system.ok("POST", "/api/webhooks", {"url": receiver.url(f"/{type}"), "events": [type]})
    webhook = api.ok("POST", "/api/webhooks", {"url": url, "events": ["down.*"]})["id"]
    before = others_lag(systems, receiver, "before", lambda: time.sleep(LOOK_SECONDS))

    ids = publish_many(api, "down.happened", backlog, "backlog")
    eventually(lambda: breaker(api, webhook) == "open", 30, "the breaker to open")
    # Counting takes many requests of its own, so it is done before and after, not while the others are measured.
    began, tried_before = time.monotonic(), attempts(api, webhook)
    while_down = others_lag(systems, receiver, "down", lambda: time.sleep(LOOK_SECONDS))
    assert breaker(api, webhook) == "open"
    assert_probes(attempts(api, webhook) - tried_before, time.monotonic() - began)

    began = time.monotonic()
    up()
    draining = others_lag(
        systems,
        receiver,
        "draining",
        lambda: receiver.wait_for_ids("accepted", ids, DRAINED_SECONDS, "/down"),
        at_least_seconds=LOOK_SECONDS,
    )
    arrived = max(visit.arrived for visit in receiver.visits("/down"))
    print(f"\n{backlog} drained in {arrived - began:.1f} s")
    for name, lags in (("before", before), ("while it was down", while_down), ("while it drained", draining)):
        print(f"others' lag {name}:", *lags, sep="\n  ")
    for lag, *controls in (while_down, draining):
        if controls:
            assert lag.is_no_worse_than(controls[0], BUSY_SECONDS)
        else:
            assert lag.is_no_worse_than(before[0], QUIET_SECONDS)
    assert breaker(api, webhook) in ("closed", "half_open")
    eventually(
        lambda: not api.ok("GET", f"/api/deliveries?webhook={webhook}&status=pending")["items"],
        10,
        "every delivery to be on record as delivered",
    )


def assert_probes(probes: int, seconds: float) -> None:
    """While an endpoint is known to be down, it is asked once per interval and not more."""
    assert 1 <= probes <= math.ceil(seconds / PROBE_SECONDS), f"{probes} probes in {seconds:.1f} s"


def attempts_by_log(api: Client, webhook: str) -> int:
    """What no receiver can see: connections that were refused."""
    return sum(each["attempts"] for each in all_pages(api, "/api/deliveries", 100, webhook=webhook))


def breaker(api: Client, webhook: str) -> str:
    state: str = api.ok("GET", f"/api/webhooks/{webhook}")["health"]["state"]
    return state


def others_lag(
    systems: Sequence[Client],
    receiver: RecordingReceiver,
    name: str,
    meanwhile: Callable[[], Any],
    at_least_seconds: float = 0.0,
) -> list[Lag]:
    """Of each system, all of them under the same load at the same time."""
    began = time.monotonic()
    with ExitStack() as publishing:
        loads = [
            publishing.enter_context(SteadyLoad(system, OTHERS, OTHERS_PER_SECOND, f"{name}-{number}"))
            for number, system in enumerate(systems)
        ]
        meanwhile()
        time.sleep(max(0.0, began + at_least_seconds - time.monotonic()))
    receiver.wait_for_ids("events", [event.id for load in loads for event in load.published], 30)
    visits = receiver.visits()
    return [first_attempt_lag(load.published, visits) for load in loads]
