"""/api/deliveries, /api/jobs and /api/queues: what went wrong, what is tried again, and what is given up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.contract import all_pages, assert_problem, delivery_of, settled
from tests.support.process import Client, eventually, free_port
from tests.support.receiver import Answer, Receiver

# Three attempts, almost at once.
ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.05,0.05"}
ATTEMPTS = 3


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def unreachable() -> str:
    return f"http://127.0.0.1:{free_port()}/"


def publish(api: Client, url: str, **more: Any) -> tuple[Any, Any]:
    """A webhook of its own, and one event for it."""
    type = f"try.{free_port()}.{len(url)}"
    hook = api.ok("POST", "/api/webhooks", {"url": url, "events": [type], **more})
    return hook, api.ok("POST", "/api/events", {"type": type, "data": {"n": 1}})


def job_of(api: Client, delivery: Any) -> Any:
    [job] = [
        job
        for job in all_pages(api, "/api/jobs", 100, queue="webhooks")
        if job["payload"] == {"delivery": delivery["id"]}
    ]
    return job


def test_a_receiver_that_recovers_gets_its_event(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: (
        Answer(500, b"not yet \x00\xff") if len(receiver.requests) < 3 else Answer(200, b"ok")
    )
    hook, event = publish(api, receiver.url())
    found = settled(api, event["id"], "delivered")
    assert found["attempts"] == 3
    assert [attempt["outcome"] for attempt in found["log"]] == ["failed", "failed", "delivered"]
    assert [attempt["number"] for attempt in found["log"]] == [1, 2, 3]
    first, _, last = found["log"]
    assert (first["reason"], first["response_status"]) == ("status", 500)
    assert first["response_body"] == "not yet \ufffd\ufffd"
    assert (last["reason"], last["response_body"], last["response_cut"]) == (None, "ok", False)
    assert last["peer"].startswith("127.0.0.1")
    assert set(receiver.ids()) == {event["id"]}
    assert len({request.body for request in receiver.requests}) == 1
    receiver.verify_all(hook["secret"])


def test_an_exhausted_delivery_is_dead_until_someone_retries_it(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(503)
    _, event = publish(api, receiver.url())
    failed = settled(api, event["id"], "failed")
    assert failed["attempts"] == ATTEMPTS
    assert failed["next_attempt_at"] is None
    assert failed["finished_at"]
    job = job_of(api, failed)
    assert (job["status"], job["kind"], job["attempts"]) == ("dead", "webhooks.deliver", ATTEMPTS)
    assert "503" in job["last_error"]

    receiver.answer = lambda _: Answer(204)
    retried = api("POST", f"/api/deliveries/{failed['id']}/retry")
    assert retried.status == 202
    assert retried.json["status"] in ("pending", "delivered")
    found = settled(api, event["id"], "delivered")
    assert [attempt["number"] for attempt in found["log"]] == [1, 2, 3, 4]
    assert_problem(api("GET", f"/api/jobs/{job['id']}"), 404)
    [record] = api.ok("GET", f"/api/audit-logs?resource_id={failed['id']}")["items"]
    assert record["action"] == "delivery.retry"


def test_a_dead_job_can_be_retried_or_discarded(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(404)
    _, event = publish(api, receiver.url())
    job = job_of(api, settled(api, event["id"], "failed"))
    assert api.ok("GET", f"/api/jobs/{job['id']}")["payload"] == job["payload"]
    receiver.answer = lambda _: Answer(202)
    retried = api("POST", f"/api/jobs/{job['id']}/retry")
    assert retried.status == 202
    assert (retried.json["status"], retried.json["attempts"]) == ("pending", 0)
    settled(api, event["id"], "delivered")

    receiver.answer = lambda _: Answer(404)
    _, event = publish(api, receiver.url())
    failed = settled(api, event["id"], "failed")
    job = job_of(api, failed)
    assert api("DELETE", f"/api/jobs/{job['id']}").status == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
        assert_problem(api(method, f"/api/jobs/{job['id']}{path}"), 404)
    actions = [r["action"] for r in api.ok("GET", f"/api/audit-logs?resource_id={job['id']}")["items"]]
    assert actions == ["job.discard"]
    # The delivery itself can still be asked for again: it gets a new job.
    receiver.answer = lambda _: Answer(200)
    api.ok("POST", f"/api/deliveries/{failed['id']}/retry")
    settled(api, event["id"], "delivered")


def test_a_delivered_delivery_can_be_sent_again(api: Client, receiver: Receiver) -> None:
    _, event = publish(api, receiver.url())
    delivered = settled(api, event["id"], "delivered")
    api.ok("POST", f"/api/deliveries/{delivered['id']}/retry")
    receiver.wait_for_count(2)
    again = eventually(
        lambda: (d := delivery_of(api, event["id"]))["status"] == "delivered" and len(d["log"]) == 2 and d,
        5,
        "the second attempt to be written",
    )
    assert again["attempts"] == 2
    assert receiver.ids() == {event["id"]: 2}


def test_a_redirect_is_not_followed(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(302, headers={"location": receiver.url("/elsewhere")})
    _, event = publish(api, receiver.url())
    found = settled(api, event["id"], "failed")
    assert {(a["reason"], a["response_status"]) for a in found["log"]} == {("redirect", 302)}
    assert {request.path for request in receiver.requests} == {"/hook"}


def test_a_receiver_that_hangs_is_left(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(204, after_seconds=0 if len(receiver.requests) > 1 else 30)
    _, event = publish(api, receiver.url(), timeout_seconds=1)
    found = settled(api, event["id"], "delivered")
    first, second = found["log"]
    assert (first["outcome"], first["reason"], first["response_status"]) == ("failed", "timeout", None)
    assert 0.9 < first["duration_seconds"] < 2.5
    assert second["outcome"] == "delivered"


def test_a_refused_connection_is_logged(api: Client, unreachable: str) -> None:
    _, event = publish(api, unreachable)
    found = settled(api, event["id"], "failed")
    assert [a["reason"] for a in found["log"]] == ["connect"] * ATTEMPTS
    assert all(a["detail"] and a["response_body"] is None for a in found["log"])


def test_a_receiver_that_speaks_no_http_is_logged(api: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hook, event = publish(api, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        listener.settimeout(10)
        for _ in range(ATTEMPTS):
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"SSH-2.0-not-http\r\n")
                peer.recv(65536)
        found = settled(api, event["id"], "failed")
    assert {a["reason"] for a in found["log"]} <= {"protocol", "reset"}
    api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_a_long_answer_is_kept_in_part(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(200, b"x" * 100_000)
    _, event = publish(api, receiver.url())
    [attempt] = settled(api, event["id"], "delivered")["log"]
    assert attempt["response_cut"] is True
    assert attempt["response_body"] == "x" * (16 * 1024)


def test_deliveries_are_found_by_webhook_event_and_status(api: Client, receiver: Receiver) -> None:
    hook, event = publish(api, receiver.url())
    settled(api, event["id"], "delivered")
    [type] = hook["events"]
    ids = [
        each["id"] for each in api.ok("POST", "/api/events", [{"type": type, "data": n} for n in range(6)])
    ]
    for id in ids:
        settled(api, id, "delivered")
    mine = all_pages(api, "/api/deliveries", 3, webhook=hook["id"])
    assert [d["event"] for d in mine] == [*ids[::-1], event["id"]]
    assert {d["event_type"] for d in mine} == {type}
    assert len(all_pages(api, "/api/deliveries", 2, webhook=hook["id"], status="delivered")) == 7
    assert all_pages(api, "/api/deliveries", 2, webhook=hook["id"], status="failed") == []
    assert_problem(api("GET", f"/api/deliveries?webhook=wh_other&event={ids[0]}"), 422, "query.webhook")
    assert_problem(api("GET", "/api/deliveries?status=lost"), 422, "query.status")
    assert_problem(api("GET", "/api/deliveries/dlv_unknown"), 404)
    assert_problem(api("POST", "/api/deliveries/dlv_unknown/retry"), 404)


def test_jobs_are_listed_by_queue_and_status_in_pages(api: Client, unreachable: str) -> None:
    events = [publish(api, unreachable)[1] for _ in range(5)]
    deliveries = [settled(api, event["id"], "failed") for event in events]
    dead = all_pages(api, "/api/jobs", 2, queue="webhooks", status="dead")
    assert {d["id"] for d in deliveries} <= {job["payload"]["delivery"] for job in dead}
    assert [job["id"] for job in dead] == sorted((job["id"] for job in dead), reverse=True)
    assert all_pages(api, "/api/jobs", 2, queue="audit", status="dead") == []
    assert_problem(api("GET", "/api/jobs?status=over"), 422, "query.status")


def test_queues_show_depth_and_live_workers(api: Client, receiver: Receiver, unreachable: str) -> None:
    hook, event = publish(api, receiver.url())
    settled(api, event["id"], "delivered")
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"state": "paused"})
    api.ok("POST", "/api/events", [{"type": hook["events"][0], "data": n} for n in range(4)])
    settled(api, publish(api, unreachable)[1]["id"], "failed")

    queues = {queue["name"]: queue for queue in api.ok("GET", "/api/queues")["items"]}
    assert {"webhooks", "audit", "cleanup", "realtime"} <= set(queues)
    webhooks = queues["webhooks"]
    assert webhooks["held"] == 4
    assert webhooks["depth"] == webhooks["held"] + webhooks["pending"]
    assert webhooks["dead"] >= 1
    workers = eventually(
        lambda: {q["name"]: q["workers"] for q in api.ok("GET", "/api/queues")["items"]},
        10,
        "the workers to be registered",
    )
    assert all(len(names) == 1 for names in workers.values()), workers
    api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_a_waiting_job_that_is_discarded_takes_its_delivery_along(api: Client, receiver: Receiver) -> None:
    hook, event = publish(api, receiver.url())
    settled(api, event["id"], "delivered")
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"state": "paused"})
    later = api.ok("POST", "/api/events", {"type": hook["events"][0], "data": 2})
    job = job_of(api, delivery_of(api, later["id"]))
    assert job["status"] == "held"
    assert api("DELETE", f"/api/jobs/{job['id']}").status == 204
    assert delivery_of(api, later["id"])["status"] == "cancelled"
