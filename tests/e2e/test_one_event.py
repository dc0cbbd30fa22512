"""The walking skeleton: one event through every part of the suite, in one process and in many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Receiver


@contextmanager
def one_process(directory: Path) -> Iterator[Client]:
    with Ogel("up", fresh=True, log=directory / "up.log", OGEL_DATA_DIR=str(directory / "data")) as ogel:
        yield ogel.api


@contextmanager
def many_processes(directory: Path, servers: dict[str, str]) -> Iterator[Client]:
    commands = {
        "api": ["api"],
        "webhooks": ["worker", "webhooks"],
        "others": ["worker", "audit,realtime,cleanup"],
        "scheduler": ["scheduler"],
        "realtime": ["realtime"],
    }
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(Ogel(*command, fresh=True, log=directory / f"{name}.log", **servers))
            for name, command in commands.items()
        }
        yield started["api"].api


def test_up_delivers_one_event(tmp_path: Path) -> None:
    with Receiver() as receiver, one_process(tmp_path) as api:
        deliver_one(api, receiver)


def test_separate_processes_deliver_one_event(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with Receiver() as receiver, many_processes(tmp_path, servers) as api:
        deliver_one(api, receiver)


def deliver_one(api: Client, receiver: Receiver) -> None:
    webhook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["order.*"]})
    raw = b'{"type":"order.created","data":{"total": 42.00, "b":1, "a":"\\u00e9"}}'
    published = api("POST", "/api/events", raw=raw)
    assert published.status == 202
    event = published.json
    assert event["deliveries"] == 1
    api.ok("POST", "/api/events", {"type": "customer.created", "data": None})

    receiver.wait_for_count(1)
    receiver.verify_all(webhook["secret"])
    [request] = receiver.requests
    assert request.headers["webhook-id"] == event["id"]
    assert request.headers["user-agent"] == "Ogel-Webhook/1.0"
    body = json.loads(request.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert body["type"] == "order.created"
    assert b'"data":{"total": 42.00, "b":1, "a":"\\u00e9"}' in request.body

    [delivery] = api.ok("GET", f"/api/deliveries?event={event['id']}")["items"]
    found = eventually(
        lambda: (d := api.ok("GET", f"/api/deliveries/{delivery['id']}"))["status"] == "delivered" and d,
        5,
        "the delivery to be written",
    )
    assert found["attempts"] == 1
    [attempt] = found["log"]
    assert attempt["response_status"] == 204
    assert attempt["peer"].startswith("127.0.0.1")

    [record] = api.ok("GET", f"/api/audit-logs?resource_id={event['id']}")["items"]
    assert record["action"] == "event.publish"
    assert record["actor"] == "admin"
    assert record["ip_address"] == "127.0.0.1"
    assert record["request_id"] == published.headers["x-request-id"]
    [record] = api.ok("GET", "/api/audit-logs?action=webhook.create")["items"]
    assert record["resource_id"] == webhook["id"]
    assert webhook["secret"] not in json.dumps(record)
