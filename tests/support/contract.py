"""What every answer of the HTTP contract has in common: problems that name the field, lists in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from tests.support.process import Client, Response, eventually


def assert_problem(response: Response, status: int | Sequence[int], path: str | None = None) -> Any:
    """RFC 9457, with our request id; `path` is the field that `errors` must name. Returns the document."""
    wanted = (status,) if isinstance(status, int) else status
    assert response.status in wanted, f"{response.status} {response.raw[:500]!r}"
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json
    assert problem["status"] == response.status
    assert {"type", "title", "detail"} <= set(problem)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.raw.decode()
    if path is not None:
        assert [error["path"] for error in problem.get("errors", [])] == [path], problem
        assert problem["errors"][0]["message"]
    return problem


def assert_unchanged(before: Any, after: Any) -> None:
    """All that both answers show."""
    both = before.keys() & after.keys()
    assert "id" in both
    assert {name: after[name] for name in both} == {name: before[name] for name in both}


def all_pages(api: Client, path: str, limit: int, **filters: str) -> list[Any]:
    """Every item, page by page; each page but the last is full, and none has more than `limit`."""
    items: list[Any] = []
    after = None
    for _ in range(1000):
        query = {"limit": str(limit), **filters, **({"after": after} if after else {})}
        page = api.ok("GET", f"{path}?{urlencode(query)}")
        assert set(page) == {"items", "next"}
        items += page["items"]
        after = page["next"]
        if after is None:
            assert len(page["items"]) <= limit
            return items
        assert len(page["items"]) == limit
    raise AssertionError(f"{path} has no last page")


def delivery_of(api: Client, event_id: str) -> Any:
    """The one delivery of an event, with its attempts."""
    [delivery] = api.ok("GET", f"/api/deliveries?event={event_id}")["items"]
    return api.ok("GET", f"/api/deliveries/{delivery['id']}")


def settled(api: Client, event_id: str, status: str, seconds: float = 10.0) -> Any:
    """The one delivery of an event, once it has this status."""
    return eventually(
        lambda: (found := delivery_of(api, event_id))["status"] == status and found,
        seconds,
        f"the delivery of {event_id} to be {status}",
    )
