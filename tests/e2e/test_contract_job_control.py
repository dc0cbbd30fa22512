"""Queues paused and full, dead jobs by the heap, workers: over HTTP and from the command line, two workers apart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import psycopg
import pytest

from tests.support.cli import Finished, ogel_here
from tests.support.contract import all_pages, assert_problem, settled
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver

HARD_LIMIT = 40
ENVIRONMENT = {
    "OGEL_WEBHOOK_RETRY_DELAYS": "0.05",
    "OGEL_QUEUE_SOFT_LIMIT": "20",
    "OGEL_QUEUE_HARD_LIMIT": str(HARD_LIMIT),
}
# Within which every worker obeys a pause.
PAUSE_SECONDS = 2.0
Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def second_worker(
    suite: Ogel, suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with Ogel("worker", "webhooks", log=log, **suite_servers, **ENVIRONMENT):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    def run(*arguments: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here(*arguments, **suite_servers, **ENVIRONMENT)

    return run


def queue(api: Client, name: str = "webhooks") -> Any:
    [found] = [each for each in api.ok("GET", "/api/queues")["items"] if each["name"] == name]
    return found


def endpoint(api: Client, receiver: Receiver, type: str) -> str:
    id: str = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [type]})["id"]
    return id


def publish(api: Client, type: str, count: int) -> list[str]:
    events = [{"type": type, "data": n} for n in range(count)]
    return [event["id"] for event in api.ok("POST", "/api/events", events)]


def test_a_paused_queue_stands_still_on_every_worker_and_goes_on(
    api: Client, receiver: Receiver, run: Run
) -> None:
    endpoint(api, receiver, "paused.one")
    assert api("POST", "/api/queues/webhooks/pause").status == 204
    assert queue(api)["paused_at"]
    time.sleep(PAUSE_SECONDS)  # the promise: from then on no worker claims
    ids = publish(api, "paused.one", 10)
    time.sleep(PAUSE_SECONDS)  # long enough for the bell, and for polls
    assert not receiver.requests
    assert queue(api)["depth"] == 10
    listed = run("queues")
    assert "paused" in next(line for line in listed.out.splitlines() if line.startswith("webhooks"))
    assert run("queues", "resume", "webhooks").out == "webhooks resumed\n"
    receiver.wait_for_ids(ids, 10)
    assert queue(api)["paused_at"] is None
    actions = [each["action"] for each in api.ok("GET", "/api/audit-logs?resource_type=queue")["items"]]
    assert actions[:2] == ["queue.resume", "queue.pause"]


def test_a_full_queue_accepts_nothing_and_loses_nothing(api: Client, receiver: Receiver) -> None:
    endpoint(api, receiver, "full.one")
    api("POST", "/api/queues/webhooks/pause")
    accepted = publish(api, "full.one", HARD_LIMIT)

    def refused() -> Any:
        answer = api("POST", "/api/events", {"type": "full.one", "data": "more"})
        if answer.status == 202:  # it was not looked at since
            accepted.append(answer.json["id"])
            return None
        return answer

    answer = eventually(refused, 10, "publishing to be refused")
    assert_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    found = queue(api)
    assert (found["level"], found["depth"]) == ("hard", len(accepted))
    assert {event["id"] for event in all_pages(api, "/api/events", 100, type="full.one")} == set(accepted)
    assert api("GET", "/metrics").raw.decode().count('ogel_cluster_queue_pressure{queue="webhooks"} 2.0') == 1

    api("POST", "/api/queues/webhooks/resume")
    receiver.wait_for_ids(accepted, 20)
    again = eventually(lambda: None if refused() else accepted[-1], 10, "publishing to be accepted again")
    receiver.wait_for_ids([again], 10)
    assert set(receiver.ids()) == set(accepted)


def test_dead_jobs_are_retried_and_purged_by_the_heap(api: Client, receiver: Receiver, run: Run) -> None:
    receiver.answer = lambda _: Answer(404)
    endpoint(api, receiver, "dead.one")
    ids = publish(api, "dead.one", 8)
    for id in ids:
        settled(api, id, "failed")
    assert queue(api)["dead"] == 8
    receiver.answer = lambda _: Answer(200)
    wanted = {"queue": "webhooks", "kind": "mail.send"}
    assert api.ok("POST", "/api/jobs/retry", wanted) == {"jobs": 0, "more": False}
    assert run("jobs", "retry", "--dead", "--queue", "webhooks").out == "8 jobs retried\n"
    for id in ids:
        settled(api, id, "delivered")

    receiver.answer = lambda _: Answer(404)
    for id in publish(api, "dead.one", 3):
        settled(api, id, "failed")
    found = run("jobs", "list", "--status", "dead", "--json")
    assert len(json.loads(found.out)["items"]) == 3
    purged = run("jobs", "purge", "--queue", "webhooks", "--yes", "--json")
    assert json.loads(purged.out) == {"jobs": 3}
    assert queue(api)["dead"] == 0


def test_queues_agree_with_the_table(
    api: Client, suite_servers: dict[str, str], receiver: Receiver, run: Run
) -> None:
    endpoint(api, receiver, "agree.one")
    api("POST", "/api/queues/webhooks/pause")
    publish(api, "agree.one", 5)
    with psycopg.connect(suite_servers["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT queue_name, count(*) FROM job_queue WHERE status = 'pending' GROUP BY 1"
        ).fetchall()
    counted = {name: count for name, count in rows if name != "realtime"}
    listed = json.loads(run("queues", "--json").out)["items"]
    for said in (api.ok("GET", "/api/queues")["items"], listed):
        assert {each["name"]: each["pending"] for each in said if each["pending"]} == counted
    api("POST", "/api/queues/webhooks/resume")
    receiver.wait_for_count(5)


def test_a_job_is_looked_at_and_cancelled(api: Client, receiver: Receiver, run: Run) -> None:
    endpoint(api, receiver, "cancel.one")
    api("POST", "/api/queues/webhooks/pause")
    [first, second] = publish(api, "cancel.one", 2)
    [a, b] = [job["id"] for job in api.ok("GET", "/api/jobs?queue=webhooks&status=pending")["items"]]
    assert api.ok("POST", f"/api/jobs/{a}/cancel") == {"id": a, "status": "cancelled"}
    assert_problem(api("POST", f"/api/jobs/{a}/cancel"), 404)
    shown = run("jobs", "show", b)
    assert "webhooks.deliver" in shown.out
    assert "0/2" in shown.out
    assert run("jobs", "cancel", b).out == f"{b} cancelled\n"
    for id in (first, second):
        settled(api, id, "cancelled")
    api("POST", "/api/queues/webhooks/resume")


def test_workers_are_listed(api: Client, run: Run) -> None:
    def names() -> set[str]:
        return {worker["name"] for worker in api.ok("GET", "/api/workers")["items"]}

    # A worker is ready before RQ knows of it.
    eventually(lambda: len(names()) == 2, 10, "both workers in the list")
    said = json.loads(run("workers", "--json").out)["items"]
    assert {worker["name"] for worker in said} == names()
    assert {"webhooks"} in [set(worker["queues"]) for worker in said]
    assert all(worker["pid"] and worker["seen_at"] for worker in said)
    assert len(run("workers").out.splitlines()) == 3


@pytest.mark.parametrize(
    "path", ["/api/queues/none/pause", "/api/queues/none/resume", "/api/jobs/job_none/cancel"]
)
def test_what_is_not_there_is_404(api: Client, path: str) -> None:
    assert_problem(api("POST", path), 404)


def test_bad_wishes_are_refused(api: Client, run: Run) -> None:
    assert_problem(api("POST", "/api/jobs/retry", {}), 422, "body.queue")
    assert_problem(api("POST", "/api/jobs/retry", {"queue": "none"}), 404)
    assert_problem(
        api("POST", "/api/jobs/purge", {"queue": "webhooks", "status": "running"}), 422, "body.status"
    )
    assert run("jobs", "retry").code == 2
    assert run("jobs", "retry", "job_x", "--dead").code == 2
    assert run("jobs", "purge", "--yes").code == 2
    assert run("queues", "pause", "none").code == 1
    assert run("jobs", "show", "job_none").code == 1
