"""/api/replays: delivering again what failed, what is missing, or everything since a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.contract import all_pages, assert_problem, delivery_of, settled
from tests.support.process import Client, eventually, free_port
from tests.support.receiver import Answer, Receiver

# Two attempts, almost at once; a breaker that opened meanwhile tries again soon.
ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.05", "OGEL_WEBHOOK_PROBE_SECONDS": "0.2"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@dataclass
class History:
    """An endpoint with a past: ids of events by what became of them."""

    hook: Any
    type: str
    since: str
    missing: list[str]
    delivered: list[str]
    failed: list[str]
    cancelled: list[str]

    @property
    def path(self) -> str:
        return f"/api/webhooks/{self.hook['id']}/replay"

    def of(self, only: str) -> list[str]:
        every = [*self.missing, *self.delivered, *self.failed, *self.cancelled]
        return {"failed": self.failed, "missing": self.missing, "all": every}[only]


def now() -> str:
    return datetime.now(UTC).isoformat()


def publish(api: Client, type: str, count: int) -> list[str]:
    events = [{"type": type, "data": {"n": n}} for n in range(count)]
    return [event["id"] for event in api.ok("POST", "/api/events", events)]


def history(api: Client, receiver: Receiver, **more: Any) -> History:
    type, since = f"past.{free_port()}", now()
    missing = publish(api, f"{type}.early", 4)
    publish(api, f"other.{type}", 2)
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [f"{type}.*"], **more})
    path = f"/api/webhooks/{hook['id']}"
    delivered = publish(api, f"{type}.fine", 3)
    for id in delivered:
        settled(api, id, "delivered")
    receiver.answer = lambda _: Answer(500)
    failed = publish(api, f"{type}.bad", 2)
    for id in failed:
        settled(api, id, "failed")
    receiver.answer = lambda _: Answer()
    api.ok("PATCH", path, {"state": "paused"})
    cancelled = publish(api, f"{type}.dropped", 1)
    delivery = delivery_of(api, cancelled[0])
    [job] = [
        job for job in all_pages(api, "/api/jobs", 100) if job["payload"].get("delivery") == delivery["id"]
    ]
    api.ok("DELETE", f"/api/jobs/{job['id']}")
    api.ok("PATCH", path, {"state": "enabled"})
    receiver.requests.clear()
    return History(hook, type, since, missing, delivered, failed, cancelled)


def in_status(api: Client, replay: Any, status: str, seconds: float = 15.0) -> Any:
    return eventually(
        lambda: (found := api.ok("GET", f"/api/replays/{replay['id']}"))["status"] == status and found,
        seconds,
        f"{replay} to be {status}",
    )


@pytest.mark.parametrize("only", ["failed", "missing", "all"])
def test_what_a_dry_run_counts_is_replayed_under_its_old_ids(
    api: Client, receiver: Receiver, only: str
) -> None:
    past = history(api, receiver)
    wanted = {"since": past.since, "only": only}
    counted = api("POST", past.path, {**wanted, "dry_run": True})
    assert counted.status == 200
    assert (counted.json["count"], counted.json["skipped"]) == (len(past.of(only)), 0)
    assert counted.json["complete"] is True
    assert api.ok("GET", f"/api/replays?webhook={past.hook['id']}")["items"] == []

    started = api("POST", past.path, wanted)
    assert started.status == 202
    assert started.json["id"].startswith("rpl_")
    assert (started.json["only"], started.json["events"]) == (only, ["*"])
    receiver.wait_for_ids(past.of(only), 15)
    done = in_status(api, started.json, "completed")
    assert (done["total"], done["replayed"], done["skipped"]) == (len(past.of(only)), len(past.of(only)), 0)
    assert done["finished_at"]
    for id in past.of(only):
        settled(api, id, "delivered")
    assert receiver.ids() == dict.fromkeys(past.of(only), 1)
    receiver.verify_all(past.hook["secret"])


def test_without_only_it_is_what_failed_and_attempts_go_on_counting(api: Client, receiver: Receiver) -> None:
    past = history(api, receiver)
    # Again a failure first: normal retries follow a replay too.
    receiver.answer = lambda request: Answer(500 if receiver.ids()[request.id] == 1 else 204)
    started = api.ok("POST", past.path, {"since": past.since})
    assert (started["only"], started["total"]) == ("failed", 2)
    receiver.wait_for_count(4, 15)
    for id in past.failed:
        found = settled(api, id, "delivered")
        assert [attempt["outcome"] for attempt in found["log"]] == ["failed"] * 3 + ["delivered"]
        assert [attempt["number"] for attempt in found["log"]] == [1, 2, 3, 4]
    in_status(api, started, "completed")


def test_only_the_time_and_the_types_that_are_asked_for(api: Client, receiver: Receiver) -> None:
    past = history(api, receiver)
    first, second = (api.ok("GET", f"/api/events/{id}")["created_at"] for id in past.delivered[::2])
    assert first <= second

    def count(**wanted: Any) -> int:
        answer = api.ok("POST", past.path, {"since": past.since, "dry_run": True, "only": "all", **wanted})
        found: int = answer["count"]
        return found

    assert count(events=[f"{past.type}.fine", "*.dropped"]) == 4
    assert count(events=["other.*"]) == 0
    # Both ends are included.
    [at] = {api.ok("GET", f"/api/events/{id}")["created_at"] for id in past.failed}
    assert count(since=at, until=at) == 2
    assert count(since=now()) == 0
    assert count(until=past.since) == 0
    # A time to come is now.
    later = api.ok("POST", past.path, {"since": past.since, "until": "9999-12-31T23:59:59Z", "dry_run": True})
    assert later["until"] < (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert count(since="0001-01-01T00:00:00+14:00", events=[f"{past.type}.*"]) == 10


def test_what_is_missing_passes_the_filter_first(api: Client, receiver: Receiver) -> None:
    past = history(
        api, receiver, filter={"any": [{"data.n": {"gte": 2}}, {"not": {"type": {"ends_with": "early"}}}]}
    )
    wanted = {"since": past.since, "only": "missing"}
    assert api.ok("POST", past.path, {**wanted, "dry_run": True})["count"] == 2
    started = api.ok("POST", past.path, wanted)
    assert started["total"] == 2
    done = in_status(api, started, "completed")
    assert (done["replayed"], done["skipped"]) == (2, 0)
    receiver.wait_for_ids(past.missing[2:], 10)
    assert set(receiver.ids()) == set(past.missing[2:])


def test_tests_of_other_endpoints_are_not_missing(api: Client, receiver: Receiver) -> None:
    since = now()
    everything = api.ok("POST", "/api/webhooks", {"url": receiver.url("/all"), "events": ["*"]})
    other = api.ok("POST", "/api/webhooks", {"url": receiver.url("/other"), "events": ["nothing.here"]})
    test = api.ok("POST", f"/api/webhooks/{other['id']}/test")
    settled(api, test["id"], "delivered")
    wanted = {"since": since, "only": "missing", "events": ["webhook.test"], "dry_run": True}
    assert api.ok("POST", f"/api/webhooks/{everything['id']}/replay", wanted)["count"] == 0
    api.ok("DELETE", f"/api/webhooks/{everything['id']}")


def test_paused_resumed_and_held_to_its_rate(api: Client, receiver: Receiver) -> None:
    type, since = f"slow.{free_port()}", now()
    ids = publish(api, type, 12)
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [type]})
    wanted = {"since": since, "only": "missing", "per_second": 4}
    started = api.ok("POST", f"/api/webhooks/{hook['id']}/replay", wanted)
    assert started["per_second"] == 4
    path = f"/api/replays/{started['id']}"
    eventually(lambda: api.ok("GET", path)["replayed"], 10, "the first of it")
    paused = api.ok("POST", f"{path}/pause")
    assert (paused["status"], paused["total"], paused["finished_at"]) == ("paused", 12, None)
    assert 4 <= paused["replayed"] < 12
    assert api.ok("POST", f"{path}/pause") == paused
    receiver.wait_for_count(paused["replayed"], 10)
    assert api.ok("GET", path) == paused
    assert_problem(api("POST", f"/api/webhooks/{hook['id']}/replay", wanted), 409)

    resumed = api.ok("POST", f"{path}/resume")
    assert resumed["status"] == "running"
    assert api.ok("POST", f"{path}/resume")["status"] in ("running", "completed")
    done = in_status(api, started, "completed")
    assert (done["replayed"], done["skipped"]) == (12, 0)
    receiver.wait_for_ids(ids, 10)
    assert receiver.ids() == dict.fromkeys(ids, 1)
    for verb in ("pause", "resume", "cancel"):
        assert_problem(api("POST", f"{path}/{verb}"), 409)
    actions = [r["action"] for r in api.ok("GET", f"/api/audit-logs?resource_id={started['id']}")["items"]]
    assert actions == ["replay.resume", "replay.pause"]
    [record] = [
        record
        for record in api.ok("GET", f"/api/audit-logs?resource_id={hook['id']}")["items"]
        if record["action"] == "webhook.replay"
    ]
    assert record["metadata"]["replay"] == started["id"]


def test_cancelled_for_good_and_one_at_a_time(api: Client, receiver: Receiver) -> None:
    type, since = f"two.{free_port()}", now()
    publish(api, type, 20)
    hooks = [
        api.ok("POST", "/api/webhooks", {"url": receiver.url(f"/{n}"), "events": [type]}) for n in range(2)
    ]
    wanted = {"since": since, "only": "missing", "per_second": 1}
    first, other = (api.ok("POST", f"/api/webhooks/{hook['id']}/replay", wanted) for hook in hooks)
    refused = assert_problem(api("POST", f"/api/webhooks/{hooks[0]['id']}/replay", wanted), 409)
    assert first["id"] in refused["detail"]

    path = f"/api/replays/{first['id']}"
    cancelled = api.ok("POST", f"{path}/cancel")
    assert cancelled["status"] == "cancelled" and cancelled["finished_at"]
    assert cancelled["replayed"] < 20
    assert api.ok("POST", f"{path}/cancel") == cancelled
    for verb in ("pause", "resume"):
        assert_problem(api("POST", f"{path}/{verb}"), 409)
    again = api.ok("POST", f"/api/webhooks/{hooks[0]['id']}/replay", {**wanted, "per_second": 1000})
    in_status(api, again, "completed")
    assert api.ok("GET", path) == cancelled

    # The other goes with its endpoint.
    assert api("DELETE", f"/api/webhooks/{hooks[1]['id']}").status == 204
    assert in_status(api, other, "cancelled")["finished_at"]
    assert_problem(api("POST", f"/api/webhooks/{hooks[1]['id']}/replay", wanted), 404)

    mine = all_pages(api, "/api/replays", 1, webhook=hooks[0]["id"])
    assert [replay["id"] for replay in mine] == [again["id"], first["id"]]
    assert [
        r["id"] for r in all_pages(api, "/api/replays", 5, webhook=hooks[0]["id"], status="cancelled")
    ] == [first["id"]]


def test_a_paused_endpoint_gets_it_once_it_is_enabled(api: Client, receiver: Receiver) -> None:
    past = history(api, receiver)
    path = f"/api/webhooks/{past.hook['id']}"
    api.ok("PATCH", path, {"state": "paused"})
    waiting = publish(api, f"{past.type}.later", 1)
    wanted = {"since": past.since, "only": "all"}
    counted = api.ok("POST", past.path, {**wanted, "dry_run": True})
    # What waits for the endpoint anyway is under way.
    assert (counted["count"], counted["skipped"]) == (10, 1)
    started = api.ok("POST", past.path, wanted)
    done = in_status(api, started, "completed")
    assert (done["total"], done["replayed"], done["skipped"]) == (11, 10, 1)
    assert receiver.requests == []
    assert len(all_pages(api, "/api/deliveries", 50, webhook=past.hook["id"], status="pending")) == 11
    api.ok("PATCH", path, {"state": "enabled"})
    receiver.wait_for_ids([*past.of("all"), *waiting], 15)
    assert set(receiver.ids().values()) == {1}


def test_wrong_input_is_named(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["wrong.*"]})
    path, past = f"/api/webhooks/{hook['id']}/replay", "2026-01-01T00:00:00Z"
    for wrong, field in (
        ({}, "body.since"),
        ({"since": "2999-01-01T00:00:00Z"}, "body.since"),
        ({"since": "2026-01-01"}, "body.since"),
        ({"since": "2026-01-01T00:00:00"}, "body.since"),
        ({"since": past, "until": "2025-12-31T23:59:59Z"}, "body.until"),
        ({"since": past, "only": "some"}, "body.only"),
        ({"since": past, "per_second": 0}, "body.per_second"),
        ({"since": past, "per_second": 1001}, "body.per_second"),
        ({"since": past, "per_second": 2.5}, "body.per_second"),
        ({"since": past, "events": []}, "body.events"),
        ({"since": past, "events": ["a b"]}, "body.events[0]"),
        ({"since": past, "dry_run": "yes"}, "body.dry_run"),
        ({"since": past, "limit": 1}, "body.limit"),
    ):
        assert_problem(api("POST", path, wrong), 422, field)
    assert_problem(api("GET", "/api/replays?status=done"), 422, "query.status")
    for dry_run in (True, False):
        wanted = {"since": past, "dry_run": dry_run}
        assert_problem(api("POST", "/api/webhooks/wh_unknown/replay", wanted), 404)
    assert_problem(api("GET", "/api/replays/rpl_unknown"), 404)
    for verb in ("pause", "resume", "cancel"):
        assert_problem(api("POST", f"/api/replays/rpl_unknown/{verb}"), 404)


def test_deliveries_are_found_by_time(api: Client, receiver: Receiver) -> None:
    past = history(api, receiver)
    every = all_pages(api, "/api/deliveries", 50, webhook=past.hook["id"])
    assert len(every) == 6
    times = sorted(each["created_at"] for each in every)

    def found(**filters: str) -> int:
        return len(all_pages(api, "/api/deliveries", 2, webhook=past.hook["id"], **filters))

    assert found(since=past.since) == 6
    assert found(until=past.since) == 0
    assert found(since=times[0], until=times[-1]) == 6
    assert found(since=times[3]) == sum(time >= times[3] for time in times) < 6
    assert found(until=times[2], status="delivered") == 3
    assert found(since=times[0], status="failed") == 2
    assert found(since="0001-01-01T00:00:00+14:00", until="9999-12-31T23:59:59-14:00") == 6
    assert_problem(api("GET", "/api/deliveries?since=yesterday"), 422, "query.since")
    assert_problem(api("GET", "/api/deliveries?until=2026-01-01T00:00:00"), 422, "query.until")


def test_both_answers_are_described(api: Client) -> None:
    responses = api.ok("GET", "/openapi.json")["paths"]["/api/webhooks/{id}/replay"]["post"]["responses"]
    named = {
        status: responses[status]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for status in ("200", "202")
    }
    assert named == {"200": "DryRun", "202": "Replay"}
