"""The log of attempts: what it says, what it never says, and that a crash is in it."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.contract import delivery_of, settled
from tests.support.process import Client, Ogel, eventually, free_port
from tests.support.receiver import Answer, Receiver, Request

ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.05,0.05"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class HangingOnce:
    """The first request has `come`, and is answered when it may `go`; the others at once."""

    def __init__(self) -> None:
        self.come, self.go = threading.Event(), threading.Event()

    def __call__(self, _: Request) -> Answer:
        if not self.come.is_set():
            self.come.set()
            self.go.wait(20)
        return Answer(200)


def test_an_attempt_shows_both_sides_and_where_the_time_went(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(500 if len(receiver.requests) == 1 else 200, b"said")
    headers = {"Authorization": "Bearer very-secret-token-0123456789", "X-Tenant": "acme"}
    hook = api.ok(
        "POST", "/api/webhooks", {"url": receiver.url(), "events": ["both.sides"], "headers": headers}
    )
    event = api.ok("POST", "/api/events", {"type": "both.sides", "data": 1})
    found = settled(api, event["id"], "delivered")
    first, second = found["log"]
    assert first["id"] != second["id"]
    sent = {name.lower(): value for name, value in first["request_headers"]}
    assert sent["webhook-id"] == event["id"]
    assert sent["content-type"] == "application/json"
    assert sent["webhook-signature"].startswith("v1,")
    assert int(sent["webhook-timestamp"]) > 1_700_000_000
    assert {"authorization", "x-tenant"} <= sent.keys()
    assert "content-length" in {name.lower() for name, _ in first["response_headers"]}
    assert first["timings"]["connect"] > 0
    assert 0 < first["timings"]["first_byte"] <= first["duration_seconds"]
    assert first["timings"]["tls"] is None
    # On the same connection again: nothing to connect.
    assert second["timings"]["connect"] is None
    shown = json.dumps(found)
    for secret in (hook["secret"], hook["secret"].removeprefix("whsec_"), headers["Authorization"], "acme"):
        assert secret not in shown


def test_an_answer_that_repeats_our_headers_gives_no_secret_away(api: Client, receiver: Receiver) -> None:
    token = "very-secret-token-0123456789"
    receiver.answer = lambda request: Answer(
        200,
        f"{request.headers['authorization']} for {request.headers['x-tenant']}, that is {token}".encode(),
        headers={"x-echo": f"<{token}>", "set-cookie": "session=receivers-own", "x-plain": "kept"},
    )
    headers = {"Authorization": f"Bearer {token}", "X-Tenant": "acme"}
    hook = {"url": receiver.url(), "events": ["echo.all"], "headers": headers}
    api.ok("POST", "/api/webhooks", hook)
    event = api.ok("POST", "/api/events", {"type": "echo.all", "data": 1})
    [attempt] = settled(api, event["id"], "delivered")["log"]
    assert attempt["response_body"] == "**** for acme, that is ****"
    shown = dict(attempt["response_headers"])
    assert (shown["x-echo"], shown["set-cookie"], shown["x-plain"]) == ("<****>", "****", "kept")


def test_an_answer_that_encodes_our_secrets_gives_none_away(api: Client, receiver: Receiver) -> None:
    password, key = "s3cr3t/of=ours", "query-key-0123"
    basic = b64encode(f"acme:{password}".encode()).decode()
    receiver.answer = lambda request: Answer(
        200,
        json.dumps(
            {
                "auth": quote(request.headers["authorization"]),
                "who": f"acme:{password}",
                "url": f"{request.path}",
            }
        ).encode(),
        headers={"x-hex": password.encode().hex(), "x-again": b64encode(basic.encode()).decode()},
    )
    hook = {
        "url": f"{receiver.url()}?key={key}",
        "events": ["echo.coded"],
        "headers": {"Authorization": f"Basic {basic}"},
    }
    api.ok("POST", "/api/webhooks", hook)
    event = api.ok("POST", "/api/events", {"type": "echo.coded", "data": 1})
    [attempt] = settled(api, event["id"], "delivered")["log"]
    shown = json.dumps([attempt["response_body"], attempt["response_headers"]])
    for secret in (
        password,
        quote(password, safe=""),
        basic[6:],
        b64encode(basic.encode()).decode(),
        password.encode().hex(),
        key,
    ):
        assert secret not in shown
    assert "who" in shown and "acme" in shown


def test_an_answer_cut_within_a_secret_gives_no_part_of_it_away(api: Client, receiver: Receiver) -> None:
    token = "very-secret-token-9876543210"
    receiver.answer = lambda request: Answer(200, b"x" * (16 * 1024 - 20) + token.encode() + b"more")
    hook = {"url": receiver.url(), "events": ["echo.cut"], "headers": {"X-Token": token}}
    api.ok("POST", "/api/webhooks", hook)
    event = api.ok("POST", "/api/events", {"type": "echo.cut", "data": 1})
    [attempt] = settled(api, event["id"], "delivered")["log"]
    assert attempt["response_body"] == "x" * (16 * 1024 - 20) + "****"


def test_an_attempt_under_way_is_there_with_an_unknown_end(api: Client, receiver: Receiver) -> None:
    receiver.answer = first = HangingOnce()
    api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["under.way"], "timeout_seconds": 20})
    event = api.ok("POST", "/api/events", {"type": "under.way", "data": 1})
    assert first.come.wait(10)
    found = delivery_of(api, event["id"])
    assert found["status"] == "pending"
    [attempt] = api.ok("GET", f"/api/deliveries/{found['id']}")["log"]
    assert (attempt["number"], attempt["outcome"], attempt["duration_seconds"]) == (1, "unknown", None)
    first.go.set()
    [attempt] = settled(api, event["id"], "delivered")["log"]
    assert (attempt["number"], attempt["outcome"]) == (1, "delivered")


def test_a_crash_leaves_an_unknown_attempt_and_a_new_one(
    database_url: str, redis_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = first = HangingOnce()
    # Not the suite of the other tests, whose worker would take part.
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_LEASE_SECONDS": "1"}
    with (
        Ogel("api", log=tmp_path / "api.log", **environment) as api,
        Ogel("worker", "webhooks", log=tmp_path / "worker.log", **environment) as worker,
    ):
        api.api.ok(
            "POST", "/api/webhooks", {"url": receiver.url(), "events": ["crash.now"], "timeout_seconds": 20}
        )
        event = api.api.ok("POST", "/api/events", {"type": "crash.now", "data": 1})
        assert first.come.wait(10)
        worker.kill()
        first.go.set()
        worker.start()
        found = settled(api.api, event["id"], "delivered")
        assert [(each["number"], each["outcome"]) for each in found["log"]] == [
            (1, "unknown"),
            (2, "delivered"),
        ]
        assert found["attempts"] == 2
        assert "disappeared" in found["log"][0]["detail"]
        eventually(lambda: len(receiver.requests) == 2, 5, "both requests")


def test_a_drained_workers_cut_attempt_is_in_the_log(
    database_url: str, redis_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = first = HangingOnce()
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with (
        Ogel("api", log=tmp_path / "api.log", **servers) as api,
        Ogel(
            "worker", "webhooks", log=tmp_path / "worker.log", OGEL_DRAIN_SECONDS="0.2", **servers
        ) as worker,
    ):
        api.api.ok(
            "POST", "/api/webhooks", {"url": receiver.url(), "events": ["cut.now"], "timeout_seconds": 20}
        )
        event = api.api.ok("POST", "/api/events", {"type": "cut.now", "data": 1})
        assert first.come.wait(10)
        assert worker.terminate() == 0
        first.go.set()
        worker.start()
        found = settled(api.api, event["id"], "delivered")
        assert [(each["number"], each["outcome"]) for each in found["log"]] == [
            (1, "unknown"),
            (2, "delivered"),
        ]


def test_a_request_that_met_nobody_says_so(api: Client) -> None:
    api.ok("POST", "/api/webhooks", {"url": f"http://127.0.0.1:{free_port()}/", "events": ["nobody.home"]})
    event = api.ok("POST", "/api/events", {"type": "nobody.home", "data": 1})
    found = settled(api, event["id"], "failed")
    assert [attempt["reason"] for attempt in found["log"]] == ["connect"] * 3
    assert found["log"][0]["response_status"] is None
    assert found["log"][0]["timings"]["first_byte"] is None
