"""/api/events: published once, however often it is sent; found again by id, type, subject and page."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from ogel.kernel.ids import new_id
from tests.support.contract import all_pages, assert_problem
from tests.support.process import Client
from tests.support.receiver import Receiver


def test_an_event_is_answered_as_it_was_stored(api: Client) -> None:
    sent = {"type": "book.read", "data": {"pages": [1, 2, None]}, "subject": "book/1"}
    published = api("POST", "/api/events", sent)
    assert published.status == 202
    assert set(published.json) == {"id", "deliveries"}
    assert published.json["id"].startswith("evt_")

    found = api.ok("GET", f"/api/events/{published.json['id']}")
    assert {name: found[name] for name in sent} == sent
    assert found["created_at"].endswith("Z")


def test_data_keeps_its_text(api: Client) -> None:
    data = b'{"z": 1.50, "a":[ 1e2 ], "big": 123456789012345678901234567890, "s":"\\u00e9\\u0000"}'
    id = api("POST", "/api/events", raw=b'{"type":"a.b","data":' + data + b"}").json["id"]
    assert data in api("GET", f"/api/events/{id}").raw


def test_data_may_be_any_json(api: Client) -> None:
    for data in (None, True, 0, -1.5, "text", [], {}, [[]]):
        id = api.ok("POST", "/api/events", {"type": "any.json", "data": data})["id"]
        assert api.ok("GET", f"/api/events/{id}")["data"] == data


def test_the_same_id_again_changes_nothing(api: Client) -> None:
    with Receiver() as receiver:
        api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["once.*"]})
        sent = {"id": new_id("mine"), "type": "once.only", "data": 1}
        first = api("POST", "/api/events", sent)
        again = api("POST", "/api/events", {**sent, "data": 2, "type": "once.other"})
        last = api.ok("POST", "/api/events", {"type": "once.last", "data": None})
        assert (again.status, again.json) == (first.status, first.json)
        receiver.wait_for_ids([sent["id"], last["id"]], 10)
        assert receiver.ids()[sent["id"]] == 1
    assert api.ok("GET", f"/api/events/{sent['id']}")["data"] == 1
    assert len(api.ok("GET", f"/api/deliveries?event={sent['id']}")["items"]) == 1
    assert len(api.ok("GET", f"/api/audit-logs?resource_id={sent['id']}")["items"]) == 1


def test_the_same_id_ten_times_at_once_is_one_event(api: Client) -> None:
    with Receiver() as receiver:
        api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["race.*"]})
        sent = {"id": new_id("race"), "type": "race.won", "data": None}
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: api("POST", "/api/events", sent), range(10)))
        assert {answer.status for answer in answers} == {202}
        assert [answer.json for answer in answers] == [{"id": sent["id"], "deliveries": 1}] * 10
        receiver.wait_for_ids([sent["id"]], 10)
        assert receiver.ids()[sent["id"]] == 1


def test_batches_of_the_same_ids_in_other_orders_do_not_block_each_other(api: Client) -> None:
    events = [{"id": new_id("order"), "type": "knot.tied", "data": n} for n in range(200)]
    with ThreadPoolExecutor(6) as pool:
        orders = [events, events[::-1]] * 3
        answers = list(pool.map(lambda batch: api("POST", "/api/events", batch), orders))
    assert [answer.status for answer in answers] == [202] * 6


def test_an_id_twice_in_one_batch_is_one_event(api: Client) -> None:
    id = new_id("twin")
    batch = [{"id": id, "type": "twin.born", "data": n} for n in (1, 2)]
    assert api.ok("POST", "/api/events", batch) == [{"id": id, "deliveries": 0}] * 2
    assert api.ok("GET", f"/api/events/{id}")["data"] == 1


def test_a_batch_takes_500_and_answers_in_order(api: Client) -> None:
    batch = [{"id": f"batch_{n}", "type": "batch.item", "data": n} for n in range(500)]
    answer = api("POST", "/api/events", batch)
    assert answer.status == 202
    assert [each["id"] for each in answer.json] == [each["id"] for each in batch]
    assert len(all_pages(api, "/api/events", 100, type="batch.item")) == 500


def test_a_batch_of_501_or_of_none_is_refused_whole(api: Client) -> None:
    batch = [{"type": "crowd.item", "data": n} for n in range(501)]
    assert_problem(api("POST", "/api/events", batch), 422, "body")
    assert_problem(api("POST", "/api/events", []), 422, "body")
    assert api.ok("GET", "/api/events?type=crowd.item")["items"] == []


def test_one_wrong_event_refuses_its_batch(api: Client) -> None:
    batch = [{"type": "half.good", "data": 1}, {"type": "half.good"}]
    assert_problem(api("POST", "/api/events", batch), 422, "body[1].data")
    assert api.ok("GET", "/api/events?type=half.good")["items"] == []


def test_pages_are_stable_while_events_arrive(api: Client) -> None:
    """A batch shares one creation time, so only the id tells its events apart."""
    wanted = [f"page_{n:02}" for n in range(25)]
    api.ok("POST", "/api/events", [{"id": id, "type": "page.turned", "data": 0} for id in wanted])
    first = api.ok("GET", "/api/events?type=page.turned&limit=10")
    api.ok("POST", "/api/events", {"type": "page.turned", "data": "later"})
    rest = []
    after = first["next"]
    while after:
        page = api.ok("GET", f"/api/events?type=page.turned&limit=10&after={after}")
        rest += page["items"]
        after = page["next"]
    assert [item["id"] for item in first["items"] + rest] == wanted[::-1]


def test_lists_filter_by_subject_too(api: Client) -> None:
    for subject in ("cup/1", "cup/2"):
        api.ok("POST", "/api/events", {"type": "cup.filled", "data": 0, "subject": subject})
    [item] = api.ok("GET", "/api/events?subject=cup/2")["items"]
    assert item["subject"] == "cup/2"
    assert api.ok("GET", "/api/events?subject=cup/2&type=other.type")["items"] == []


def test_the_default_page_has_25(api: Client) -> None:
    api.ok("POST", "/api/events", [{"type": "many.of", "data": n} for n in range(26)])
    page = api.ok("GET", "/api/events?type=many.of")
    assert len(page["items"]) == 25
    assert page["next"]


def test_events_too_large_are_refused(api: Client) -> None:
    """Both limits: 256 KiB for one event's data, 8 MiB for a body."""
    event = {"type": "whale.seen", "data": "x" * (256 * 1024)}
    assert_problem(api("POST", "/api/events", event), 413, "body.data")
    beside = {"type": "a.b", "data": 1, "subject": "beside/a/whale"}
    assert_problem(api("POST", "/api/events", [beside, event]), 413, "body[1].data")
    assert_problem(api("POST", "/api/events", raw=b" " * (8 * 1024 * 1024 + 1)), 413)
    fits = json.dumps({"type": "whale.seen", "data": "x" * (256 * 1024 - 2)}).encode()
    assert api("POST", "/api/events", raw=fits).status == 202
    assert len(api.ok("GET", "/api/events?type=whale.seen")["items"]) == 1
    assert api.ok("GET", "/api/events?type=a.b&subject=beside/a/whale")["items"] == []


def test_the_size_of_data_is_that_of_its_text_as_sent(api: Client) -> None:
    """Spaces and escapes included: it is these bytes that are stored and delivered."""
    fits, over = (b"[" + b" " * (256 * 1024 - 2 + more) + b"]" for more in (0, 1))
    for data in (fits, b'"' + b"\\u0041" * ((256 * 1024 - 2) // 6) + b'"'):
        assert api("POST", "/api/events", raw=b'{"type":"size.of","data":' + data + b"}").status == 202
    assert_problem(
        api("POST", "/api/events", raw=b'{"type":"size.of","data":' + over + b"}"), 413, "body.data"
    )


def test_an_id_has_1_to_128_safe_characters(api: Client) -> None:
    for id in ("a", "-", "_", "Az09-_" * 21 + "xy", new_id("evt")):
        event = {"id": id, "type": "named.so", "data": 0}
        assert api.ok("POST", "/api/events", event) == {"id": id, "deliveries": 0}
        assert api.ok("GET", f"/api/events/{id}")["id"] == id
    for id in ("x" * 129, "", "a.b", "a b", "a/b", "a\n", "\u00e9", "a\u0000", "\u0661"):
        event = {"id": id, "type": "named.wrong", "data": 0}
        assert_problem(api("POST", "/api/events", event), 422, "body.id")
        batch = [{"type": "named.wrong", "data": 0}, event]
        assert_problem(api("POST", "/api/events", batch), 422, "body[1].id")
    assert api.ok("GET", "/api/events?type=named.wrong")["items"] == []


def test_an_id_that_was_published_once_stays_so_in_a_batch_of_new_ones(api: Client) -> None:
    known = {"id": new_id("mine"), "type": "known.already", "data": 1}
    api.ok("POST", "/api/events", known)
    batch = [{**known, "id": new_id("mine")}, {**known, "data": 2}, {**known, "id": new_id("mine")}]
    assert [each["id"] for each in api.ok("POST", "/api/events", batch)] == [each["id"] for each in batch]
    assert api.ok("GET", f"/api/events/{known['id']}")["data"] == 1
    assert len(api.ok("GET", "/api/events?type=known.already")["items"]) == 3
