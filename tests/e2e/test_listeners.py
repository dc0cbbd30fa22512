"""Endpoints that ask for their deliveries: taken, answered, logged as any, and never in the way of others."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from ogel.features.webhooks.listeners.service import MOST_ASKING
from ogel.kernel.clock import rfc3339, utc_now
from tests.support.contract import assert_problem, settled
from tests.support.process import ADMIN_KEY, Client, Ogel, eventually
from tests.support.receiver import Receiver

ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.05,0.05"}
TYPES = iter(f"listen.{n}" for n in range(1000))
AN_HOUR_AGO = rfc3339(utc_now() - timedelta(hours=1))
OK = {"answered": {"status": 204}}


@pytest.fixture
def type() -> str:
    return next(TYPES)


@pytest.fixture
def listener(api: Client, type: str) -> Iterator[Any]:
    made = listen(api, type)
    yield made
    api("DELETE", f"/api/webhooks/{made['id']}")


def listen(api: Client, type: str, **more: Any) -> Any:
    wanted = {"kind": "listener", "url": "http://localhost:3000/hook", "events": [type], **more}
    return api.ok("POST", "/api/webhooks", wanted)


def publish(api: Client, type: str, data: Any = None) -> str:
    id: str = api.ok("POST", "/api/events", {"type": type, "data": data or {}})["id"]
    return id


def asked(api: Client, listener: Any, wait: float = 10) -> list[Any]:
    found: list[Any] = api.ok("POST", f"/api/webhooks/{listener['id']}/handovers?wait={wait}")["items"]
    return found


def question(listener: Any, wait: int) -> bytes:
    """What `asked` sends, for who does not stay for the answer."""
    path = f"/api/webhooks/{listener['id']}/handovers?wait={wait}"
    fields = f"Host: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Length: 0\r\n"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode()


def answer(api: Client, listener: Any, handover: Any, said: Any = OK) -> None:
    api.ok("POST", f"/api/webhooks/{listener['id']}/handovers/{handover['id']}", said)


def test_a_delivery_is_taken_and_answered_and_logged_as_any(api: Client, type: str, listener: Any) -> None:
    assert (listener["kind"], listener["url"]) == ("listener", "http://localhost:3000/hook")
    assert asked(api, listener, 0) == []
    event = publish(api, type, {"text": "größer ☃", "number": 1.10})
    [handover] = asked(api, listener)
    assert (handover["event"], handover["event_type"]) == (event, type)
    Webhook(listener["secret"]).verify(handover["body"].encode(), dict(handover["headers"]))
    body = base64.b64encode(b"x" * 100).decode()
    said = {"status": 201, "headers": [["X-Mine", "1"]], "body": body, "first_byte_seconds": 0.25}
    answer(api, listener, handover, {"answered": said})
    found = settled(api, event, "delivered")
    [attempt] = found["log"]
    assert attempt["outcome"] == "delivered"
    assert (attempt["response_status"], attempt["response_body"]) == (201, "x" * 100)
    assert attempt["response_headers"] == [["X-Mine", "1"]]
    assert attempt["timings"]["first_byte"] == 0.25
    assert ["webhook-id", event] in attempt["request_headers"]
    assert found["id"] == handover["delivery"]


def test_what_the_program_did_not_answer_is_a_failed_attempt_and_tried_again(
    api: Client, type: str, listener: Any
) -> None:
    event = publish(api, type)
    failures: list[Any] = [
        {"failed": {"reason": "connect", "message": "the connection was refused"}},
        {"answered": {"status": 500}},
    ]
    for said in (*failures, OK):
        [handover] = asked(api, listener)
        answer(api, listener, handover, said)
    found = settled(api, event, "delivered")
    assert [attempt["outcome"] for attempt in found["log"]] == ["failed", "failed", "delivered"]
    assert [attempt["reason"] for attempt in found["log"]] == ["connect", "status", None]
    assert found["log"][0]["detail"] == "the connection was refused"


def test_a_retry_and_a_replay_reach_it(api: Client, type: str, listener: Any) -> None:
    event = publish(api, type)
    answer(api, listener, *asked(api, listener))
    delivery = settled(api, event, "delivered")
    api.ok("POST", f"/api/webhooks/{listener['id']}/replay", {"since": AN_HOUR_AGO, "only": "all"})
    [again] = asked(api, listener)
    assert (again["event"], again["delivery"]) == (event, delivery["id"])
    answer(api, listener, again)


def test_while_nobody_asks_it_waits_without_costing_an_attempt(api: Client, type: str, listener: Any) -> None:
    event = publish(api, type)
    time.sleep(6)  # longer than a request is offered for
    [delivery] = api.ok("GET", f"/api/deliveries?event={event}")["items"]
    assert (delivery["status"], delivery["attempts"]) == ("pending", 0)
    [handover] = asked(api, listener)
    answer(api, listener, handover)
    assert settled(api, event, "delivered")["attempts"] == 1


def test_one_that_vanishes_with_a_request_fails_its_attempt(api: Client, type: str) -> None:
    listener = listen(api, type, timeout_seconds=1)
    event = publish(api, type)
    assert asked(api, listener)
    [again] = asked(api, listener)
    answer(api, listener, again)
    log = settled(api, event, "delivered")["log"]
    assert [attempt["reason"] for attempt in log] == ["timeout", None]
    api.ok("DELETE", f"/api/webhooks/{listener['id']}")


def test_a_question_whose_asker_has_gone_takes_nothing_from_the_next(
    api: Client, suite_servers: dict[str, str], type: str, listener: Any
) -> None:
    with socket.create_connection(("127.0.0.1", api.port)) as lost:
        lost.sendall(question(listener, wait=10))
        seen = """SELECT seen_at > created_at FROM ogel.webhook_presence JOIN ogel.webhook_endpoints ON id = webhook_id
                  WHERE id = %s"""
        with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as database:
            eventually(
                lambda: database.execute(seen, (listener["id"],)).fetchone() == (True,),
                10,
                "the question to come in",
            )
    assert asked(api, listener, 0) == []
    event = publish(api, type)
    time.sleep(0.5)  # for what must not happen: whoever waits looks every 40 ms
    [handover] = asked(api, listener)
    assert handover["event"] == event
    answer(api, listener, handover)


def test_no_more_ask_at_once_than_one_process_holds(api: Client, listener: Any) -> None:
    too_many = 20
    with ExitStack() as stack:
        asking = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=20))
            for _ in range(MOST_ASKING + too_many)
        ]
        for each in asking:
            each.sendall(question(listener, wait=3))
        statuses = Counter(each.recv(12) for each in asking)
    assert statuses == {b"HTTP/1.1 200": MOST_ASKING, b"HTTP/1.1 503": too_many}


def test_each_of_two_gets_its_own_and_others_are_not_held_up(api: Client, type: str, listener: Any) -> None:
    other = listen(api, type)
    with Receiver() as receiver:
        hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [type]})
        for _ in range(30):  # more than either may have in flight
            publish(api, type)
        receiver.wait_for_count(30, 4)
        api.ok("DELETE", f"/api/webhooks/{hook['id']}")
    for each in (listener, other):
        seen = set()
        while len(seen) < 30:
            for handover in asked(api, each):
                seen.add(handover["event"])
                answer(api, each, handover)
    api.ok("DELETE", f"/api/webhooks/{other['id']}")


def test_a_waiting_listener_hears_at_once_and_in_order_of_a_subject(api: Client, type: str) -> None:
    listener = listen(api, type, ordered_by="subject")
    heard: list[Any] = []
    asking = threading.Thread(target=lambda: heard.extend(asked(api, listener)))
    asking.start()
    time.sleep(0.3)
    began = time.monotonic()
    for n in range(3):
        api.ok("POST", "/api/events", {"type": type, "data": {"n": n}, "subject": "s"})
    asking.join()
    assert time.monotonic() - began < 3
    for n in range(3):
        [handover] = heard if n == 0 else asked(api, listener)
        assert f'"n":{n}' in handover["body"].replace(" ", "")
        answer(api, listener, handover)
    api.ok("DELETE", f"/api/webhooks/{listener['id']}")


def test_large_bodies_arrive_one_by_one(api: Client, type: str, listener: Any) -> None:
    text = "☃" * 40_000
    for _ in range(8):
        publish(api, type, {"text": text})
    seen = 0
    while seen < 8:
        for handover in asked(api, listener):
            assert json.loads(handover["body"])["data"]["text"] == text
            answer(api, listener, handover)
            seen += 1


def test_it_may_be_anywhere_but_what_is_sent_to_may_not(api: Client, type: str) -> None:
    private = {"url": "http://10.0.0.1/", "events": [type]}
    assert_problem(api("POST", "/api/webhooks", private), 422)
    made = api.ok("POST", "/api/webhooks", {**private, "kind": "listener"})
    assert_problem(api("PATCH", f"/api/webhooks/{made['id']}", {"url": "http://10.0.0.2/"}), 422)
    assert_problem(api("PATCH", f"/api/webhooks/{made['id']}", {"kind": "url"}), 422)
    api.ok("DELETE", f"/api/webhooks/{made['id']}")
    assert_problem(api("POST", f"/api/webhooks/{made['id']}/handovers"), 404)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {**OK, "failed": {"reason": "reset", "message": "x"}},
        {"answered": {"status": 99}},
        {"answered": {"status": 200, "body": "no base64!"}},
        {"answered": {"status": 200, "body": "eA" * 20_000}},
        {"answered": {"status": 200, "headers": [["a", "b"]] * 101}},
        {"failed": {"reason": "refused_address", "message": "x"}},
        {"failed": {"reason": "timeout", "message": "\0"}},
    ],
)
def test_what_is_no_answer_is_refused(api: Client, type: str, listener: Any, said: Any) -> None:
    event = publish(api, type)
    [handover] = asked(api, listener)
    path = f"/api/webhooks/{listener['id']}/handovers/{handover['id']}"
    assert_problem(api("POST", path, said), 422)
    answer(api, listener, handover)
    settled(api, event, "delivered")
    assert_problem(api("POST", path, OK), 409)


def test_others_are_no_listeners(api: Client, suite: Ogel, type: str) -> None:
    with Receiver() as receiver:
        hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [type]})
        assert_problem(api("POST", f"/api/webhooks/{hook['id']}/handovers?wait=0"), 404)
        api.ok("DELETE", f"/api/webhooks/{hook['id']}")
    assert_problem(api("POST", "/api/webhooks/wh_x/handovers?wait=99"), 422)


def test_one_that_was_not_heard_of_for_a_minute_is_forgotten(
    api: Client, suite_servers: dict[str, str], type: str, listener: Any
) -> None:
    """With what waits for it."""
    event = publish(api, type)
    [delivery] = api.ok("GET", f"/api/deliveries?event={event}")["items"]
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        run = "UPDATE job_queue SET scheduled_at = now() WHERE kind = 'webhooks.forget_listener'"
        connection.execute(run)
        time.sleep(1.5)
        assert api("GET", f"/api/webhooks/{listener['id']}").status == 200
        connection.execute("UPDATE webhook_presence SET seen_at = now() - interval '61 seconds'")
        connection.execute(run)
    path = f"/api/webhooks/{listener['id']}"
    eventually(lambda: api("GET", path).status == 404, 10, "it to be forgotten")
    path = f"/api/deliveries/{delivery['id']}"
    eventually(lambda: api.ok("GET", path)["status"] == "cancelled", 20, "what waited to be cancelled")
