"""An event is published once, however often a client has to ask; what is no event is refused."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.acceptance.conftest import StartSystem
from tests.support.contract import assert_problem, settled
from tests.support.process import Client, eventually
from tests.support.receivers.recording import Answer, RecordingReceiver
from tests.support.system import System

TIMES = 1_000
CLIENTS = 8
EVENT: dict[str, Any] = {"type": "once.only", "data": {"n": 1}, "id": "the-same"}
MOST_DATA_BYTES = 256 * 1024


def test_the_same_id_a_thousand_times_while_processes_die_is_one_delivery(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    system = start_system(workers=2, lease_seconds=2.0)
    receiver.answer("/hook", Answer(after_seconds=0.3))
    system.api.ok("POST", "/api/webhooks", {"url": receiver.url("/hook"), "events": ["once.*"]})
    with ThreadPoolExecutor(CLIENTS) as clients:
        publishing = [clients.submit(publish_times, system.api, TIMES // CLIENTS) for _ in range(CLIENTS)]
        receiver.wait_for_ids("events", [EVENT["id"]], 20)
        kill_and_restart(system, "api", "worker-1")
        answers = [answer for each in publishing for answer in each.result(90)]
    assert answers == [{"id": EVENT["id"], "deliveries": 1}] * TIMES

    receiver.wait_for_ids("accepted", [EVENT["id"]], 20)
    delivery = settled(system.api, EVENT["id"], "delivered")
    # Once more only if the worker that died had it in flight.
    assert receiver.count("requests") == len(delivery["log"]) <= 2
    assert len(system.api.ok("GET", "/api/events?type=once.only")["items"]) == 1


def test_an_id_is_known_for_good_and_what_was_first_stays(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    system = start_system()
    api = system.api
    api.ok("POST", "/api/webhooks", {"url": receiver.url("/hook"), "events": ["once.*"]})
    first = api("POST", "/api/events", EVENT)
    receiver.wait_for_ids("accepted", [EVENT["id"]], 10)
    settled(api, EVENT["id"], "delivered")
    system.kill("api")
    system.restart("api")
    api.ok("POST", "/api/webhooks", {"url": receiver.url("/later"), "events": ["once.*"]})
    again = api("POST", "/api/events", {**EVENT, "data": {"n": 2}})
    assert (
        (again.status, again.json)
        == (first.status, first.json)
        == (202, {"id": EVENT["id"], "deliveries": 1})
    )
    assert api.ok("GET", f"/api/events/{EVENT['id']}")["data"] == {"n": 1}
    api.ok("POST", "/api/events", {**EVENT, "id": "another"})
    receiver.wait_for_ids("accepted", ["another"], 10, "/later")
    receiver.wait_for_ids("accepted", ["another"], 10, "/hook")
    assert receiver.count("requests", "/hook") == 2
    assert receiver.count("requests", "/later") == 1


def test_wrong_ids_and_too_much_data_are_refused(start_system: StartSystem) -> None:
    api = start_system().api
    for id in ("", "with.dot", "with space", "é", "a/b", "a" * 129, 7, ["a"], "a\n", "\u0000"):
        assert_problem(api("POST", "/api/events", {**EVENT, "id": id}), 422, "body.id")
    for id in ("a", "a" * 128, "_-09azAZ"):
        assert api.ok("POST", "/api/events", {**EVENT, "id": id})["id"] == id
    fits, too_much = "x" * (MOST_DATA_BYTES - 2), "x" * (MOST_DATA_BYTES - 1)
    assert len(json.dumps(fits)) == MOST_DATA_BYTES
    assert api("POST", "/api/events", {**EVENT, "id": "fits", "data": fits}).status == 202
    refused = api("POST", "/api/events", {**EVENT, "id": "too-much", "data": too_much})
    assert_problem(refused, 413, "body.data")
    assert api("GET", "/api/events/too-much").status == 404


def publish_times(api: Client, times: int) -> list[Any]:
    """The answers; asks again when there is none, as a client does whose server has died."""
    return [eventually(lambda: accepted(api), 60, "the event to be accepted") for _ in range(times)]


def accepted(api: Client) -> Any:
    try:
        answer = api("POST", "/api/events", EVENT)
    except (OSError, http.client.HTTPException):
        return None
    assert answer.status in (202, 503), answer
    return answer.json if answer.status == 202 else None


def kill_and_restart(system: System, *names: str) -> None:
    for name in names:
        system.kill(name)
        system.restart(name)
