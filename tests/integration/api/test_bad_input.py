"""What is wrong in a request is said by its field, and changes nothing: events, endpoints, lists and ids."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.contract import assert_problem, assert_unchanged
from tests.support.process import Client

# Nothing private may be reached: what a deployment without the setting has.
ENVIRONMENT = {"OGEL_WEBHOOK_ALLOW_NETS": "", "OGEL_MAX_EVENT_BYTES": "4096", "OGEL_MAX_BODY_BYTES": "65536"}
HOOK = {"url": "https://hooks.example.com/", "events": ["a.b"]}
EVENT = {"type": "a.b", "data": None}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"type":"a.b","data":1}}',
        b'{"type":"a.b","data":NaN}',
        b"\xff\xfe",
        b'{"type":"a.b","data":"\xff"}',
        b'{"type":"a.b","data":"\\ud800"}',
        b'{"type":"\\ud800","data":1}',
        b'{"type":"a.b","data":01}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"type":"a.b","data":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"type":"a.b","data":' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}",
        b'{"type":"a.b","data":"\x00"}',
        b'{"type":"a.b","data":tru}',
    ],
)
def test_what_is_no_sound_json_is_refused(api: Client, raw: bytes) -> None:
    assert_problem(api("POST", "/api/events", raw=raw), (400, 422))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("text", "body"),
        (7, "body"),
        (None, "body"),
        ({}, "body.type"),
        ({"type": "a.b"}, "body.data"),
        ({**EVENT, "type": 7}, "body.type"),
        ({**EVENT, "type": ""}, "body.type"),
        ({**EVENT, "type": "a..b"}, "body.type"),
        ({**EVENT, "type": "a.b\n"}, "body.type"),
        ({**EVENT, "type": "a b"}, "body.type"),
        ({**EVENT, "type": "ä.b"}, "body.type"),
        ({**EVENT, "type": "a" * 129}, "body.type"),
        ({**EVENT, "id": "a.b"}, "body.id"),
        ({**EVENT, "id": ""}, "body.id"),
        ({**EVENT, "id": "x" * 129}, "body.id"),
        ({**EVENT, "id": "../../etc/passwd"}, "body.id"),
        ({**EVENT, "id": 7}, "body.id"),
        ({**EVENT, "subject": ""}, "body.subject"),
        ({**EVENT, "subject": "x" * 257}, "body.subject"),
        ({**EVENT, "subject": "a\x00b"}, "body.subject"),
        ({**EVENT, "subject": ["a"]}, "body.subject"),
        ({**EVENT, "more": 1}, "body.more"),
        ([EVENT, 7], "body[1]"),
        ([EVENT, {**EVENT, "type": None}], "body[1].type"),
        ([EVENT] * 10_000, "body"),
        ({**EVENT, "data": "x" * 5000}, "body.data"),
    ],
)
def test_a_wrong_event_is_refused_by_field(api: Client, body: Any, path: str) -> None:
    raw = json.dumps(body, separators=(",", ":")).encode()
    if len(raw) > int(ENVIRONMENT["OGEL_MAX_BODY_BYTES"]):
        assert_problem(api("POST", "/api/events", raw=raw), 413)
    else:
        assert_problem(api("POST", "/api/events", raw=raw), (413, 422), path)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"url": ""}, "body.url"),
        ({"url": "x" * 3000}, "body.url"),
        ({"url": None}, "body.url"),
        ({"url": "ftp://example.com/"}, "body.url"),
        ({"url": "javascript:alert(1)"}, "body.url"),
        ({"url": "https:///path"}, "body.url"),
        ({"url": "https://user:password@example.com/"}, "body.url"),
        ({"url": "https://example.com:99999/"}, "body.url"),
        ({"url": "https://exa mple.com/"}, "body.url"),
        ({"url": "https://example.com/\r\nX-Evil: 1"}, "body.url"),
        ({"url": "https://example.com/\x00"}, "body.url"),
        ({"events": []}, "body.events"),
        ({"events": "a.b"}, "body.events"),
        ({"events": ["a b"]}, "body.events[0]"),
        ({"events": ["a.b", "%"]}, "body.events[1]"),
        ({"events": ["a.b"] * 101}, "body.events"),
        ({"events": ["a" * 129]}, "body.events[0]"),
        ({"description": "x" * 501}, "body.description"),
        ({"description": "a\x00b"}, "body.description"),
        ({"max_in_flight": 0}, "body.max_in_flight"),
        ({"max_in_flight": 10**30}, "body.max_in_flight"),
        ({"max_in_flight": 1.5}, "body.max_in_flight"),
        ({"max_in_flight": "3"}, "body.max_in_flight"),
        ({"timeout_seconds": 0.5}, "body.timeout_seconds"),
        ({"timeout_seconds": 31}, "body.timeout_seconds"),
        ({"timeout_seconds": 10**400}, "body.timeout_seconds"),
        ({"headers": {"X-A": 1}}, "body.headers[...]"),
        ({"headers": {f"X-{n}": "1" for n in range(21)}}, "body.headers"),
        ({"headers": {"X-A": "1\r\nX-Evil: 2"}}, "body.headers.X-A"),
        ({"headers": {"X-A": "é"}}, "body.headers.X-A"),
        ({"headers": {"X-A": ""}}, "body.headers.X-A"),
        ({"headers": {"X-A": "1" * 1001}}, "body.headers.X-A"),
        ({"headers": {"Host": "internal"}}, "body.headers.Host"),
        ({"headers": {"WEBHOOK-ID": "1"}}, "body.headers.WEBHOOK-ID"),
        ({"headers": {"Content-Length": "0"}}, "body.headers.Content-Length"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "body.headers.Transfer-Encoding"),
        ({"headers": {"X-A: 1\r\nX-Evil": "2"}}, "body.headers"),
        ({"headers": {"": "2"}}, "body.headers"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "body.headers.x-a"),
        ({"secret": "short"}, "body.secret"),
        ({"state": "paused!"}, "body.state"),
        ({"rate": 7}, "body.rate"),
    ],
)
def test_a_wrong_endpoint_is_refused_by_field(api: Client, change: Any, path: str) -> None:
    assert_problem(api("POST", "/api/webhooks", {**HOOK, **change}), 422, path)
    if not change.keys() & {"secret"}:
        hook = api.ok("POST", "/api/webhooks", HOOK)
        assert_problem(api("PATCH", f"/api/webhooks/{hook['id']}", change), 422, path)
        assert_unchanged(hook, api.ok("GET", f"/api/webhooks/{hook['id']}"))


PRIVATE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[fd12::1]/",
    "http://[fe80::1]/",
    "http://localhost/",
    "http://sub.localhost/",
    "http://postgres.railway.internal:5432/",
    "http://metadata.google.internal/",
    "http://redis/",
    "http://app.test/",
    "http://nas.lan/",
    "http://a.onion/",
    "http://xn--.example/",
    "http://xn---bbk.example/",
    "http://\U0001f4a9.la/",
    "http://" + "ü" * 60 + ".example/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused_at_creation(api: Client, url: str) -> None:
    hook = api.ok("POST", "/api/webhooks", HOOK)
    for method, path, body in (
        ("POST", "/api/webhooks", {**HOOK, "url": url}),
        ("PATCH", f"/api/webhooks/{hook['id']}", {"url": url}),
        ("POST", "/api/test-webhook", {"url": url}),
    ):
        assert_problem(api(method, path, body), 422, "body.url")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "query.limit"),
        ("limit=101", "query.limit"),
        ("limit=-1", "query.limit"),
        ("limit=1.5", "query.limit"),
        ("limit=", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=99999999999999999999999", "query.limit"),
        ("limit=1&limit=2", "query.limit"),
        ("limit=1;DROP", "query.limit"),
        ("offset=1", "query.offset"),
        ("Limit=1", "query.Limit"),
        ("=1", "query."),
        ("after=" + "x" * 600, "query.after"),
    ],
)
@pytest.mark.parametrize("list", ["events", "webhooks", "deliveries", "jobs", "audit-logs"])
def test_wrong_parameters_are_refused_by_name(api: Client, list: str, query: str, path: str) -> None:
    assert_problem(api("GET", f"/api/{list}?{query}"), 422, path)


def test_a_type_that_no_event_can_have_is_refused(api: Client) -> None:
    for type in ("%00", "a%20b", "a..b", "order.*"):
        assert_problem(api("GET", f"/api/events?type={type}"), 422, "query.type")


@pytest.mark.parametrize("list", ["events", "webhooks", "deliveries", "jobs", "audit-logs"])
@pytest.mark.parametrize(
    "after", ["x", "bnVsbA", "e30", "WzEsMl0", "MQ", "%00", "..", "%F0%9F%92%A9", "W10", "=="]
)
def test_a_cursor_that_no_list_gave_out_is_refused(api: Client, list: str, after: str) -> None:
    assert_problem(api("GET", f"/api/{list}?after={after}"), 400, "query.after")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/events", "subject"),
        ("/api/deliveries", "webhook"),
        ("/api/deliveries", "event"),
        ("/api/jobs", "queue"),
        ("/api/audit-logs", "actor"),
        ("/api/audit-logs", "resource_id"),
    ],
)
def test_filters_hold_any_text_but_a_nul(api: Client, path: str, name: str) -> None:
    for value in ("%27%20OR%201=1--", "%25", "%F0%9F%92%A9", "a%0d%0ab", "%FF%FE"):
        if name in ("webhook", "event", "queue"):  # of which there is none
            assert_problem(api("GET", f"{path}?{name}={value}"), 422, f"query.{name}")
        else:
            assert api.ok("GET", f"{path}?{name}={value}")["items"] == []
    assert_problem(api("GET", f"{path}?{name}=a%00b"), 422, f"query.{name}")


@pytest.mark.parametrize(
    "id",
    [
        "unknown",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%00",
        "a%0d%0ab",
        "%F0%9F%92%A9",
        "x" * 4000,
        "%25%27",
        " ",
    ],
)
def test_unknown_ids_are_not_found(api: Client, id: str) -> None:
    id = id.replace(" ", "%20")
    for method, path in (
        ("GET", f"/api/events/{id}"),
        ("GET", f"/api/webhooks/{id}"),
        ("DELETE", f"/api/webhooks/{id}"),
        ("POST", f"/api/webhooks/{id}/test"),
        ("GET", f"/api/deliveries/{id}"),
        ("POST", f"/api/deliveries/{id}/retry"),
        ("GET", f"/api/jobs/{id}"),
        ("POST", f"/api/jobs/{id}/retry"),
        ("DELETE", f"/api/jobs/{id}"),
        ("POST", f"/api/queues/{id}/pause"),
        ("POST", f"/api/queues/{id}/resume"),
        ("POST", f"/api/cleanup/{id}/run"),
        ("GET", f"/api/schedules/{id}"),
        ("POST", f"/api/schedules/{id}/run"),
        ("GET", f"/api/backups/{id}"),
        ("DELETE", f"/api/backups/{id}"),
        ("GET", f"/api/databases/{id}"),
        ("GET", f"/api/databases/{id}/migrations/{id}"),
        ("GET", f"/api/devices/{id}"),
        ("GET", f"/api/messages/{id}"),
        ("GET", f"/api/mail/{id}"),
        ("GET", f"/api/replays/{id}"),
    ):
        assert_problem(api(method, path), 404)
    assert_problem(api("PATCH", f"/api/webhooks/{id}", {"description": "x"}), 404)
