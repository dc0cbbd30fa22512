"""No request that users can cause reaches what is behind the system, however its address is spelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages, assert_problem
from tests.support.egress_corpus import Canary, forbidden_urls
from tests.support.process import Client, eventually
from tests.support.receivers.recording import Answer, RecordingReceiver
from tests.support.steady_load import publish_many

LEAST_CASES = 80
REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as listening:
        yield listening


def test_no_forbidden_address_is_ever_reached(start_system: StartSystem, canary: Canary) -> None:
    """Refused when it is given, or for good when it is called: no retry makes an address better."""
    api = start_system(reach_loopback=False, retry_delays=[0.1] * 9).api
    harmless = api.ok("POST", "/api/webhooks", {"url": "https://example.com/", "events": ["no.one"]})["id"]
    cases = list(forbidden_urls(canary.port))
    assert len(cases) >= LEAST_CASES
    created: dict[str, str] = {}
    for number, (name, url) in enumerate(cases):
        answer = api(
            "POST", "/api/webhooks", {"url": url, "events": [f"forbidden.e{number}", "forbidden.all"]}
        )
        if answer.status == 201:
            created[answer.json["id"]] = name
        else:
            assert_problem(answer, 422, "body.url")
        for method, path in (("PATCH", f"/api/webhooks/{harmless}"), ("POST", "/api/test-webhook")):
            other = api(method, path, {"url": url})
            assert (other.status == 422) == (answer.status == 422), (
                f"{method} {path} disagrees about {name!r}"
            )
        assert not canary.heard(), name
    publish_many(api, "forbidden.all", 1, "forbidden")
    for webhook, name in created.items():
        refused_for_good(api, webhook, name)
    print(
        f"\n{len(cases)} addresses: {len(cases) - len(created)} refused when given, {len(created)} when called"
    )
    assert not canary.heard()


def test_a_redirect_is_a_failure_and_not_a_way_in(
    start_system: StartSystem, receiver: RecordingReceiver, canary: Canary
) -> None:
    api = start_system(retry_delays=[600.0]).api
    target = f"http://127.0.0.1:{canary.port}/"
    for status in REDIRECTS:
        receiver.answer(f"/{status}", Answer(status, {"Location": target}))
        api.ok("POST", "/api/webhooks", {"url": receiver.url(f"/{status}"), "events": ["moved.*"]})
    [id] = publish_many(api, "moved.away", 1, "moved")
    receiver.wait_for("requests", len(REDIRECTS), 10)
    for delivery in all_pages(api, "/api/deliveries", 100, event=id):
        [attempt] = finished_log(api, delivery["id"])
        assert (attempt["outcome"], attempt["reason"]) == ("failed", "redirect")
        assert attempt["response_status"] in REDIRECTS
    assert not canary.heard()


def refused_for_good(api: Client, webhook: str, name: str) -> None:
    delivery = eventually(
        lambda: all_pages(api, "/api/deliveries", 100, webhook=webhook, status="failed"),
        20,
        f"the delivery to {name} to fail for good",
    )[0]
    [attempt] = api.ok("GET", f"/api/deliveries/{delivery['id']}")["log"]
    assert attempt["reason"] == "refused_address", name
    assert attempt["peer"] is None, "where a refused name leads to is nobody's business"


def finished_log(api: Client, delivery: str) -> Any:
    def log() -> Any:
        attempts = api.ok("GET", f"/api/deliveries/{delivery}")["log"]
        return attempts if attempts and attempts[-1]["outcome"] != "unknown" else None

    return eventually(log, 10, "the attempt to be on record")
