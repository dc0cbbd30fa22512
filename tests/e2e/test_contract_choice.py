"""/api/webhooks: which events an endpoint hears, and in which form: filters, thin payloads, headers, rates, order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.contract import all_pages, assert_problem
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver, Request

TOKEN = "Bearer very-secret-token-0123456789"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def publish(api: Client, type: str, data: Any, **more: Any) -> Any:
    return api.ok("POST", "/api/events", {"type": type, "data": data, **more})


def heard(api: Client, event: Any) -> set[str]:
    """Endpoints that get it; the answer to publishing said how many."""
    found = {each["webhook"] for each in api.ok("GET", f"/api/deliveries?event={event['id']}")["items"]}
    assert event["deliveries"] == len(found)
    return found


def test_a_filter_chooses_by_what_is_in_the_event(api: Client, receiver: Receiver) -> None:
    filters = {
        "rich": {"data.amount": {"gte": 100}},
        "paid": {"data.status": "paid", "data.items.0.sku": {"starts_with": "A"}},
        "either": {"any": [{"subject": "order/1"}, {"data.tags": {"contains": "urgent"}}]},
        "none": {"data.amount": {"lt": 0}},
        "all": None,
    }
    hooks = {
        name: api.ok(
            "POST",
            "/api/webhooks",
            {"url": receiver.url(f"/{name}"), "events": ["filter.*"], "filter": filter},
        )
        for name, filter in filters.items()
    }
    for name, hook in hooks.items():
        assert hook["filter"] == filters[name]
    wanted = [
        ({"amount": 100, "status": "paid", "items": [{"sku": "A-7"}]}, "order/1", {"rich", "paid", "either"}),
        ({"amount": 99.5, "status": "paid", "items": []}, None, set()),
        ({"amount": "100", "tags": ["urgent"]}, "order/2", {"either"}),
        ([1, 2, 3], None, set()),
        (None, "order/1", {"either"}),
    ]
    events = []
    for data, subject, names in wanted:
        event = publish(api, "filter.asked", data, **({"subject": subject} if subject else {}))
        assert heard(api, event) == {hooks[name]["id"] for name in {*names, "all"}}, data
        events.append((event["id"], names))
    # Together, in one transaction, as well.
    batch = api.ok(
        "POST",
        "/api/events",
        [{"type": "filter.asked", "data": data, "subject": subject or "none"} for data, subject, _ in wanted],
    )
    assert [event["deliveries"] for event in batch] == [len(names) + 1 for _, _, names in wanted]

    receiver.wait_for_count(sum(len(names) + 1 for _, names in events) * 2)
    for id, names in events:
        paths = {request.path for request in receiver.requests if request.id == id}
        assert paths == {f"/{name}" for name in {*names, "all"}}


def test_a_test_reaches_an_endpoint_whatever_its_filter(api: Client, receiver: Receiver) -> None:
    wanted = {"url": receiver.url(), "events": ["no.such"], "filter": {"data.never": True}}
    hook = api.ok("POST", "/api/webhooks", wanted)
    sent = api.ok("POST", f"/api/webhooks/{hook['id']}/test")
    assert sent["deliveries"] == 1
    receiver.wait_for_ids([sent["id"]], 10)


def test_data_of_any_depth_passes_the_filters(api: Client) -> None:
    filter = {"data.0.0.0.0.0.0.0.0": {"exists": True}, "data": {"ne": 1}}
    api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["deep.*"], "filter": filter})
    for depth in (9, 100, 400):
        raw = b'{"type":"deep.down","data":' + b"[" * depth + b"]" * depth + b"}"
        assert api("POST", "/api/events", raw=raw).json["deliveries"] == 1
    for depth in (2_000, 131_072):
        raw = b'{"type":"deep.down","data":' + b"[" * depth + b"]" * depth + b"}"
        assert_problem(api("POST", "/api/events", raw=raw), (400, 422))


def test_a_thin_payload_names_the_event_whose_data_is_asked_for(api: Client, receiver: Receiver) -> None:
    wanted = {"url": receiver.url(), "events": ["thin.*"], "payload": "thin"}
    hook = api.ok("POST", "/api/webhooks", wanted)
    assert hook["payload"] == "thin"
    subject = 'cup "1"\\é\u2028'
    event = publish(api, "thin.sent", {"private": "here"}, subject=subject)
    [request] = receiver.wait_for_count(1)
    receiver.verify_all(hook["secret"])
    body = json.loads(request.body)
    found = api.ok("GET", f"/api/events/{event['id']}")
    assert body == {
        "type": "thin.sent",
        "timestamp": body["timestamp"],
        "data": {"id": event["id"], "subject": subject},
    }
    assert body["timestamp"][:19] == found["created_at"][:19]
    assert found["data"] == {"private": "here"}

    without = publish(api, "thin.sent", {"private": "here"})
    receiver.wait_for_ids([without["id"]], 10)
    assert json.loads(receiver.requests[-1].body)["data"] == {"id": without["id"], "subject": None}
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"payload": "full"})
    full = publish(api, "thin.sent", {"private": "here"})
    receiver.wait_for_ids([full["id"]], 10)
    assert json.loads(receiver.requests[-1].body)["data"] == {"private": "here"}


def test_headers_are_sent_and_never_shown(suite: Ogel, suite_servers: Any, receiver: Receiver) -> None:
    api = suite.api
    headers = {"Authorization": TOKEN, "X-Short": "s3cr3t", "X-Tab": "a\tb"}
    hints = {"Authorization": "Bear…****", "X-Short": "****", "X-Tab": "****"}
    wanted = {"url": receiver.url(), "events": ["header.*"], "headers": headers}
    created = api.ok("POST", "/api/webhooks", wanted)
    path = f"/api/webhooks/{created['id']}"
    assert created["headers"] == hints
    assert api.ok("GET", path)["headers"] == hints
    assert api.ok("PATCH", path, {"description": "x"})["headers"] == hints
    event = publish(api, "header.sent", 0)
    [request] = receiver.wait_for_ids([event["id"]], 10)
    assert {name: request.headers[name.lower()] for name in headers} == headers

    stored = rows(suite_servers["DATABASE_URL"], created["id"])
    assert TOKEN not in stored
    assert "s3cr3t" not in stored
    seen = [json.dumps(all_pages(api, f"/api/{each}", 100)) for each in ("webhooks", "audit-logs", "jobs")]
    for secret in (TOKEN, "s3cr3t"):
        assert all(secret not in text for text in [*seen, suite.log_text()])

    # They are replaced as a whole.
    other = api.ok("PATCH", path, {"headers": {"X-Only": "one-and-only-value"}})
    assert other["headers"] == {"X-Only": "one-…****"}
    assert other["updated_at"] > created["updated_at"]
    event = publish(api, "header.sent", 0)
    receiver.wait_for_ids([event["id"]], 10)
    last = receiver.requests[-1].headers
    assert last["x-only"] == "one-and-only-value"
    assert not {"authorization", "x-short", "x-tab"} & last.keys()
    assert api.ok("PATCH", path, {"headers": {}})["headers"] == {}
    event = publish(api, "header.sent", 0)
    receiver.wait_for_ids([event["id"]], 10)
    assert "x-only" not in receiver.requests[-1].headers


def rows(database_url: str, webhook_id: str) -> str:
    """What stands in the database of an endpoint, as anyone with a backup reads it."""
    with psycopg.connect(database_url) as connection:
        [row] = connection.execute("SELECT * FROM webhook_endpoints WHERE id = %s", [webhook_id])
        return repr([bytes(each) if isinstance(each, memoryview) else each for each in row])


def test_a_rate_limit_and_an_order_are_kept(api: Client) -> None:
    wanted = {"url": "http://127.0.0.1:1/", "events": ["rate.*"], "rate_limit": {"per_second": 2.5}}
    hook = api.ok("POST", "/api/webhooks", {**wanted, "ordered_by": "subject"})
    path = f"/api/webhooks/{hook['id']}"
    assert hook["rate_limit"] == {"per_second": 2.5, "burst": 3}
    assert hook["ordered_by"] == "subject"
    assert api.ok("PATCH", path, {"max_in_flight": 5})["rate_limit"] == {"per_second": 2.5, "burst": 3}
    slow = api.ok("PATCH", path, {"rate_limit": {"per_second": 0.01, "burst": 7}, "ordered_by": None})
    assert (slow["rate_limit"], slow["ordered_by"]) == ({"per_second": 0.01, "burst": 7}, None)
    assert api.ok("GET", path)["rate_limit"] == {"per_second": 0.01, "burst": 7}
    assert api.ok("PATCH", path, {"rate_limit": None})["rate_limit"] is None


def test_a_rate_limit_is_obeyed_and_lifted(api: Client, receiver: Receiver) -> None:
    wanted = {"url": receiver.url(), "events": ["slow.*"], "rate_limit": {"per_second": 0.01, "burst": 2}}
    hook = api.ok("POST", "/api/webhooks", wanted)
    ids = [
        each["id"]
        for each in api.ok("POST", "/api/events", [{"type": "slow.one", "data": n} for n in range(5)])
    ]
    receiver.wait_for_count(2)
    # One in 100 s: nothing more comes before the limit goes, whatever else is delivered meanwhile.
    api.ok("POST", "/api/webhooks", {"url": receiver.url("/other"), "events": ["quick.*"]})
    quick = publish(api, "quick.one", 0)
    receiver.wait_for_ids([quick["id"]], 10)
    assert sum(receiver.ids("/hook").values()) == 2
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"rate_limit": None})
    receiver.wait_for_ids(ids, 30)


def test_events_of_one_subject_come_one_by_one_in_order(api: Client) -> None:
    under_way: set[str] = set()
    overlaps: list[str] = []

    def answer(request: Request) -> Answer:
        subject = json.loads(request.body)["data"]["subject"]
        if subject is not None and subject in under_way:
            overlaps.append(subject)
        return Answer(after_seconds=0.01)

    with Receiver(answer) as receiver:
        wanted = {"url": receiver.url(), "events": ["order.*"], "payload": "thin", "ordered_by": "subject"}
        api.ok("POST", "/api/webhooks", wanted)
        batch = [{"type": "order.moved", "data": n, "subject": f"order/{n % 3}"} for n in range(30)]
        batch += [{"type": "order.moved", "data": n} for n in range(10)]
        published = [event["id"] for event in api.ok("POST", "/api/events", batch)]
        receiver.wait_for_ids(published, 20)
        arrived = [request.id for request in receiver.requests]
        assert len(arrived) == len(published)
        for subject in range(3):
            mine = [
                id
                for id, event in zip(published, batch, strict=True)
                if event.get("subject") == f"order/{subject}"
            ]
            assert [id for id in arrived if id in mine] == mine
    assert overlaps == []


def test_the_audit_log_holds_no_query_strings(api: Client) -> None:
    url = "http://127.0.0.1:1/hook?token=in-the-query#part"
    hook = api.ok("POST", "/api/webhooks", {"url": url, "events": ["audited.*"], "headers": {"X-A": TOKEN}})
    path = f"/api/webhooks/{hook['id']}"
    api.ok(
        "PATCH", path, {"url": url + "2", "headers": {"X-B": TOKEN}, "filter": {"data.a": "in-the-filter"}}
    )
    api.ok("DELETE", path)
    records = all_pages(api, "/api/audit-logs", 100, resource_id=hook["id"])
    assert [record["action"] for record in records] == ["webhook.delete", "webhook.update", "webhook.create"]
    assert records[2]["metadata"] == {"url": "http://127.0.0.1:1/hook?****", "events": ["audited.*"]}
    assert records[0]["metadata"] == {"url": "http://127.0.0.1:1/hook?****"}
    text = json.dumps(records)
    assert not any(secret in text for secret in (TOKEN, "in-the-query", "in-the-filter", "#part"))


def test_none_of_it_was_an_error_of_ours(suite: Ogel) -> None:
    """Last in this file."""
    eventually(lambda: suite.api("GET", "/api/health").status == 200, 10, "the suite to answer")
    lines = [line for line in suite.log_text().splitlines() if '"level": "error"' in line]
    assert lines == []
