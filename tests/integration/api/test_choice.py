"""What an endpoint wants to hear, and how: fields, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.contract import assert_problem
from tests.support.process import Client

TOKEN = "Bearer very-secret-token-0123456789"


def publish(api: Client, type: str, data: Any, **more: Any) -> Any:
    return api.ok("POST", "/api/events", {"type": type, "data": data, **more})


def test_a_filter_is_changed_and_taken_away(api: Client) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["refilter.*"]})
    path = f"/api/webhooks/{hook['id']}"
    assert hook["filter"] is None
    wanted = {"data.n": {"gt": 5}, r"data.a\.b": {"exists": False}}
    assert api.ok("PATCH", path, {"filter": wanted})["filter"] == wanted
    assert api.ok("PATCH", path, {"description": "other"})["filter"] == wanted
    assert api.ok("GET", path)["filter"] == wanted
    assert publish(api, "refilter.n", {"n": 5})["deliveries"] == 0
    assert publish(api, "refilter.n", {"n": 6})["deliveries"] == 1
    assert publish(api, "refilter.n", {"n": 6, "a.b": 1})["deliveries"] == 0
    api.ok("PATCH", path, {"filter": {"data.n": {"gt": 6}}})
    assert publish(api, "refilter.n", {"n": 6})["deliveries"] == 0
    assert api.ok("PATCH", path, {"filter": None})["filter"] is None
    assert publish(api, "refilter.n", {"n": 0})["deliveries"] == 1


def test_what_reading_shows_is_not_taken_for_a_value(api: Client) -> None:
    wanted = {"url": "http://127.0.0.1:1/", "events": ["mask.*"], "headers": {"X-A": "short", "X-B": TOKEN}}
    hook = api.ok("POST", "/api/webhooks", wanted)
    for name, hint in hook["headers"].items():
        refused = api("PATCH", f"/api/webhooks/{hook['id']}", {"headers": {name: hint}})
        assert_problem(refused, 422, f"body.headers.{name}")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"filter": {}}, "body.filter"),
        ({"filter": []}, "body.filter"),
        ({"filter": "data.a"}, "body.filter"),
        ({"filter": {"amount": 1}}, "body.filter.amount"),
        ({"filter": {"data.amount": {"gte": [1]}}}, "body.filter.data.amount.gte"),
        ({"filter": {"data.amount": {"above": 1}}}, "body.filter.data.amount.above"),
        ({"filter": {"any": [{"data.a": 1}, {"data.b": {}}]}}, "body.filter.any[1].data.b"),
        ({"filter": {f"data.{n}": 1 for n in range(51)}}, "body.filter.data.50"),
        ({"filter": {"data.a": "x" * 8192}}, "body.filter"),
        ({"filter": {"not": {"not": {"not": {"not": {"not": {"not": {"data.a": 1}}}}}}}},
         "body.filter.not.not.not.not.not.not"),
        ({"filter": {"data.a\u0000": {"eq": [1]}}}, "body.filter.data.a\u0000.eq"),
        ({"payload": "slim"}, "body.payload"),
        ({"payload": None}, "body.payload"),
        ({"ordered_by": "data.id"}, "body.ordered_by"),
        ({"rate_limit": 5}, "body.rate_limit"),
        ({"rate_limit": {}}, "body.rate_limit.per_second"),
        ({"rate_limit": {"per_second": 0}}, "body.rate_limit.per_second"),
        ({"rate_limit": {"per_second": 10_001}}, "body.rate_limit.per_second"),
        ({"rate_limit": {"per_second": 1, "burst": 0}}, "body.rate_limit.burst"),
        ({"rate_limit": {"per_second": 1, "burst": 10_001}}, "body.rate_limit.burst"),
        ({"rate_limit": {"per_second": 1, "per_minute": 1}}, "body.rate_limit.per_minute"),
        ({"headers": {"X-A": "****"}}, "body.headers.X-A"),
        ({"headers": None}, "body.headers"),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_refused_by_field(api: Client, change: Any, path: str) -> None:
    hook = {"url": "http://127.0.0.1:1/", "events": ["no.one"]}
    assert_problem(api("POST", "/api/webhooks", {**hook, **change}), 422, path)
    before = api.ok("POST", "/api/webhooks", hook)
    assert_problem(api("PATCH", f"/api/webhooks/{before['id']}", change), 422, path)
    assert api.ok("GET", f"/api/webhooks/{before['id']}")["updated_at"] == before["updated_at"]


def test_a_filter_may_hold_any_text(api: Client) -> None:
    filter = {"data.nul": "\u0000", "data.\u0000": {"ne": "é\U0001f4a9"}, "data.big": 2**70}
    hook = api.ok(
        "POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["text.*"], "filter": filter}
    )
    assert hook["filter"] == filter
    assert publish(api, "text.here", {"nul": "\u0000", "big": 2**70})["deliveries"] == 1
    assert publish(api, "text.here", {"nul": "", "big": 2**70})["deliveries"] == 0
