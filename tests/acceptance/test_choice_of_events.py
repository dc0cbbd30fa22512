"""An endpoint hears what it chose, in the form it chose, and no faster than it said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.lag import BUSY_SECONDS
from tests.support.process import Client
from tests.support.receivers.recording import RecordingReceiver
from tests.support.steady_load import publish_many

RATE, BURST = 20.0, 5
LIMITED_SECONDS = 5.0


@pytest.fixture
def reader() -> Iterator[RecordingReceiver]:
    """A receiver that keeps headers and bodies."""
    with RecordingReceiver(keep_content=True) as running:
        yield running


def test_globs_and_filters_choose_and_payload_and_headers_shape(
    start_system: StartSystem, reader: RecordingReceiver
) -> None:
    api = start_system().api
    create(api, reader, "/globs", ["shop.*", "*.refunded"])
    create(api, reader, "/large", ["shop.*"], filter={"data.amount": {"gte": 100}})
    create(api, reader, "/thin", ["shop.paid"], payload="thin")
    create(api, reader, "/named", ["shop.paid"], headers={"X-Team": "billing", "Authorization": "Bearer abc"})
    data = {
        "small": {"amount": 99},
        "large": {"amount": 100.5, "note": "é"},
        "none": {},
        "word": {"amount": "100"},
    }
    for id, content in data.items():
        api.ok(
            "POST", "/api/events", {"type": "shop.paid", "data": content, "id": id, "subject": f"bill/{id}"}
        )
    api.ok("POST", "/api/events", {"type": "cinema.refunded", "data": {"amount": 500}, "id": "cinema"})
    api.ok("POST", "/api/events", {"type": "shopping.done", "data": {"amount": 500}, "id": "shopping"})
    api.ok("POST", "/api/events", {"type": "shop.closed", "data": {"amount": 1000}, "id": "last"})
    reader.wait_for_ids("accepted", ["last"], 10, "/globs")
    wanted = {
        "/globs": {*data, "cinema", "last"},
        "/large": {"large", "last"},
        "/thin": set(data),
        "/named": set(data),
    }
    for path, ids in wanted.items():
        reader.wait_for_ids("accepted", sorted(ids), 10, path)
        assert {visit.id for visit in reader.visits(path)} == ids, path
    counts = {id: len(api.ok("GET", f"/api/deliveries?event={id}")["items"]) for id in (*data, "shopping")}
    assert counts == {"small": 3, "large": 4, "none": 3, "word": 3, "shopping": 0}

    [full] = [visit for visit in reader.visits("/large") if visit.id == "large"]
    assert json.loads(full.body)["data"] == data["large"]
    for visit in reader.visits("/thin"):
        assert "amount" not in visit.body
        body = json.loads(visit.body)
        assert body["type"] == "shop.paid"
        assert body["timestamp"]
        assert visit.id in visit.body
    for visit in reader.visits("/named"):
        assert (visit.headers["x-team"], visit.headers["authorization"]) == ("billing", "Bearer abc")
        assert visit.headers["webhook-id"] == visit.id


def test_a_rate_limit_holds_across_workers(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    api = start_system(workers=2).api
    limit = {"per_second": RATE, "burst": BURST}
    create(api, receiver, "/limited", ["tide.*"], rate_limit=limit)
    create(api, receiver, "/free", ["tide.*"])
    wanted = round(RATE * LIMITED_SECONDS)
    ids = publish_many(api, "tide.came", wanted, "tide")
    receiver.wait_for_ids("accepted", ids, 10, "/free")
    receiver.wait_for_ids("accepted", ids, LIMITED_SECONDS * 2 + 5, "/limited")

    arrived = [visit.arrived for visit in receiver.visits("/limited")]
    assert len(arrived) == wanted, "a delivery that waits for its turn is no attempt"
    for seconds in (0.1, 0.5, 1.0, 3.0):
        most = most_within(arrived, seconds)
        # The first of a window may have been so much longer on their way than the last.
        assert most <= BURST + RATE * (seconds + BUSY_SECONDS) + 1, f"{most} requests within {seconds} s"
    took = arrived[-1] - arrived[0]
    assert took <= (wanted - BURST) / RATE * 1.3 + 1.0, f"slower than its limit: {took:.1f} s"
    assert max(later - earlier for earlier, later in pairwise(arrived)) < 1.5
    attempts = api.ok("GET", "/api/deliveries?limit=100&status=delivered")["items"]
    assert {each["attempts"] for each in attempts} == {1}


def create(api: Client, receiver: RecordingReceiver, path: str, globs: list[str], **more: Any) -> Any:
    return api.ok("POST", "/api/webhooks", {"url": receiver.url(path), "events": globs, **more})


def most_within(times: list[float], seconds: float) -> int:
    """The most of these (sorted) times that any window of that length holds."""
    most = start = 0
    for end, time in enumerate(times):
        while time - times[start] > seconds:
            start += 1
        most = max(most, end - start + 1)
    return most
