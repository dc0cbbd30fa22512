"""Any process may die at any moment: nothing is lost, and what was sent is on record."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages
from tests.support.process import Client, eventually
from tests.support.receivers.recording import Answer, RecordingReceiver, Visit
from tests.support.steady_load import SteadyLoad
from tests.support.system import System

LEASE_SECONDS = 3.0
# For a poll and a claim.
MARGIN_SECONDS = 2.0
EVENTS_PER_SECOND = 25.0
# So long a receiver takes to answer that every kill of a worker meets requests in flight.
ANSWER_SECONDS = 0.25
DOWN_AT_ONCE = 2
START_SECONDS = 40.0
SEED = 9


def test_a_few_deaths_lose_nothing(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    kill_and_look(start_system, receiver, rounds=6)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_fifty_deaths_lose_nothing(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    kill_and_look(start_system, receiver, rounds=50)


def kill_and_look(start_system: StartSystem, receiver: RecordingReceiver, rounds: int) -> None:
    system = start_system(
        workers=2, scheduler=True, lease_seconds=LEASE_SECONDS, retry_delays=[0.2] * 20, probe_seconds=1.0
    )
    receiver.answer("/hook", Answer(after_seconds=ANSWER_SECONDS))
    wanted = {"url": receiver.url("/hook"), "events": ["chaos.*"], "max_in_flight": 1000}
    webhook = system.api.ok("POST", "/api/webhooks", wanted)["id"]
    with SteadyLoad(system.api, ["chaos.happened"], EVENTS_PER_SECOND, "chaos") as load:
        killed, slowest_start = kill_at_random(system, rounds)
    # Both workers may be down when a lease ends.
    soon = LEASE_SECONDS + MARGIN_SECONDS + slowest_start
    ids = [event.id for event in load.published]
    receiver.wait_for_ids("accepted", ids, soon)
    eventually(
        lambda: not system.api.ok("GET", f"/api/deliveries?webhook={webhook}&status=pending")["items"],
        soon,
        "every delivery to be on record as delivered",
    )

    visits = requests_by_event(receiver)
    print(f"\nkilled: {dict(Counter(killed))}; {len(ids)} events, {sum(map(len, visits.values()))} requests")
    assert set(visits) == set(ids)
    assert_soon(visits, {event.id: event.accepted for event in load.published}, soon)
    assert_on_record(system.api, webhook, visits)


def kill_at_random(system: System, rounds: int) -> tuple[list[str], float]:
    """
    Who died, and how long the slowest took to come back, in seconds. Up to DOWN_AT_ONCE processes are on their way
    back when the next one dies.
    """

    def restart(name: str) -> float:
        began = time.monotonic()
        system.restart(name)
        return time.monotonic() - began

    choose = random.Random(SEED)
    killed: list[str] = []
    starting: dict[str, Future[float]] = {}
    took: list[float] = []
    with ThreadPoolExecutor(DOWN_AT_ONCE) as pool:
        for _ in range(rounds):
            if len(starting) == DOWN_AT_ONCE:
                wait(starting.values(), START_SECONDS, return_when=FIRST_COMPLETED)
            for name in [name for name, start in starting.items() if start.done()]:
                took.append(starting.pop(name).result())
            name = choose.choice(sorted(system.pids.keys() - starting.keys()))
            system.kill(name)
            starting[name] = pool.submit(restart, name)
            killed.append(name)
        took += [start.result(START_SECONDS) for start in starting.values()]
    return killed, max(took)


def requests_by_event(receiver: RecordingReceiver) -> dict[str, list[Visit]]:
    visits: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in receiver.visits("/hook"):
        visits[visit.id].append(visit)
    return visits


def assert_soon(visits: dict[str, list[Visit]], accepted: dict[str, float], soon: float) -> None:
    """What a dead worker held is sent, or sent again, once its lease is over."""
    for id, requests in visits.items():
        times = [accepted[id], *(visit.arrived for visit in requests)]
        late = max(later - earlier for earlier, later in pairwise(times))
        assert late < soon, f"{id} waited {late:.1f} s: {requests}"


def assert_on_record(api: Client, webhook: str, visits: dict[str, list[Visit]]) -> None:
    """Every request that was seen has an attempt, and every delivery is delivered."""
    deliveries = all_pages(api, "/api/deliveries", 100, webhook=webhook)
    assert {each["event"]: each["status"] for each in deliveries} == dict.fromkeys(visits, "delivered")
    for found in with_attempts(api, deliveries):
        seen, log = visits[found["event"]], found["log"]
        assert len(log) >= len(seen), f"{len(seen)} requests, {len(log)} attempts: {seen} {log}"
        assert "delivered" in {attempt["outcome"] for attempt in log}


def with_attempts(api: Client, deliveries: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda each: api.ok("GET", f"/api/deliveries/{each['id']}"), deliveries))
