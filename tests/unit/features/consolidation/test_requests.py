"""Requests for a purpose, told from probes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.use.requests import (
    is_probe,
    logs_requests,
    of_edge,
    of_own_log,
    through_gateway,
)
from ogel.runtime.railway import HttpLogLine, LogLine

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def edge(path: str, status: int = 200, method: str = "GET", hours: float = 1) -> HttpLogLine:
    return HttpLogLine(NOW - timedelta(hours=hours), method, path, "a.example", status, 1.0)


def line(message: str) -> LogLine:
    return LogLine(NOW, message, "info", "s", "d")


@pytest.mark.parametrize(
    ("path", "kind", "probe"),
    [
        ("/health", "gotrue", True),
        ("/auth/v1/health", "kong", True),
        ("/healthz", "kong", True),
        ("/api/tenants/realtime-dev/health", "realtime", True),
        ("/minio/health/live", "minio", True),
        ("/config/version", "postgres_meta", True),
        ("/settings", "gotrue", True),
        ("/settings", "studio", False),
        ("/services", "kong", True),
        ("/", "gotrue", True),
        ("/", "studio", False),
        ("/.env", "kong", True),
        ("/wp-login.php", "kong", True),
        ("/robots.txt", "studio", True),
        ("/up", "studio", True),
        ("/token", "gotrue", False),
        ("/tables", "postgres_meta", False),
        ("/healthy-food", "kong", False),
        ("/photos/beach.jpg", "minio", False),
        ("/status", "kong", True),
        ("/status/42x", "kong", False),
        ("/health/ready", "minio", True),
        ("/rest/v1/status", "kong", False),
        ("/rest/v1/version", "kong", False),
        ("/storage/v1/object/health/x.jpg", "kong", False),
        ("/photos/health/live", "minio", False),
        ("/photos/wp-content.jpg", "minio", False),
        ("/photos/2026/a.php", "minio", False),
        ("/storage/v1/status", "kong", True),
        ("/api/.env.production", "kong", True),
        ("/admin.php", "kong", True),
    ],
)
def test_who_only_looks_is_a_probe(path: str, kind: Kind, probe: bool) -> None:
    assert is_probe("GET", path, kind, "/up?full=1") is probe


def test_the_edge_is_counted_by_what_came_of_it() -> None:
    lines = [
        edge("/token?grant_type=password", hours=3),
        edge("/user/0198c0de-aaaa-bbbb-cccc-1234567890ab", hours=2),
        edge("/user/0198c0de-aaaa-bbbb-cccc-000000000000"),
        edge("/token", 400),
        edge("/health"),
        edge("/.git/config", 404),
    ]
    found = of_edge(lines, "gotrue", None, complete=True)
    assert (found.answered, found.refused, found.probes, found.used) == (3, 1, 2, 3)
    assert found.last == NOW - timedelta(hours=1) and found.first == NOW - timedelta(hours=3)
    assert found.paths == [("/user/…", 2), ("/token", 1)]
    assert found.tells


@pytest.mark.parametrize(
    ("message", "kind", "answered", "refused", "probes", "connected"),
    [
        ('10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET /rest/v1/todos HTTP/1.1" 200 54 "-" "x"', "kong", 1, 0, 0, 0),
        ('10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 404 52 "-" "x"', "kong", 0, 0, 1, 0),
        ('10.0.0.1 - - [x] "GET /services?size=1000 HTTP/1.1" 200 5 "-" "ogel-consolidate"', "kong", 0, 0, 0, 0),
        (
            '{"component":"api","duration":9,"level":"info","method":"POST","msg":"request completed","path":"/token",'
            '"status":200,"time":"2026-11-29T12:00:00Z"}',
            "gotrue", 1, 0, 0, 0,
        ),
        ('{"method":"GET","path":"/health","status":200}', "gotrue", 0, 0, 1, 0),
        (
            '{"level":"info","reqId":"req-1","req":{"method":"GET","url":"/tables"},"res":{"statusCode":200}}',
            "postgres_meta", 1, 0, 0, 0,
        ),
        ('{"level":"info","msg":"GET /tables | 500 | 10.0.0.1"}', "postgres_meta", 0, 1, 0, 0),
        ('12:00:00.000 [info] CONNECTED TO RealtimeWeb.UserSocket in 2ms', "realtime", 0, 0, 0, 1),
        ('{"t":{"$date":"x"},"c":"NETWORK","id":22943,"msg":"Connection accepted","attr":{}}', "mongodb", 0, 0, 0, 1),
        ("starting up", "kong", 0, 0, 0, 0),
        ('{"method":1,"path":{"a":2}}', "gotrue", 0, 0, 0, 0),
        ("{" * 5000, "gotrue", 0, 0, 0, 0),
        ('{"msg":"{\\"msg\\":1}"}', "gotrue", 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_own_lines_of_each_service_are_read(
    message: str, kind: Kind, answered: int, refused: int, probes: int, connected: int
) -> None:
    found = of_own_log([line(message)], kind, None, complete=True, logs_all=False)
    assert (found.answered, found.refused, found.probes, found.connected) == (
        answered,
        refused,
        probes,
        connected,
    )


def test_a_log_that_never_tells_of_requests_says_nothing_by_its_silence() -> None:
    started = [line("GoTrue API started on: 0.0.0.0:9999")]
    assert of_own_log(started, "gotrue", None, complete=True, logs_all=True).tells
    assert not of_own_log(started, "gotrue", None, complete=True, logs_all=False).tells
    assert not of_own_log([], "gotrue", None, complete=True, logs_all=True).tells
    failed = [line('{"level":"error","error":"Not found","request":{"method":"GET","url":"/wp-login.php"}}')]
    assert not of_own_log(failed, "postgres_meta", None, complete=True, logs_all=False).tells
    well = [line('{"req":{"method":"GET","url":"/health"},"res":{"statusCode":200}}')]
    assert of_own_log(well, "postgres_meta", None, complete=True, logs_all=False).tells


@pytest.mark.parametrize(
    ("kind", "variables", "all_of_them"),
    [
        ("kong", {}, True),
        ("kong", {"KONG_PROXY_ACCESS_LOG": "/dev/stdout"}, True),
        ("kong", {"KONG_PROXY_ACCESS_LOG": "off"}, False),
        ("kong", {"KONG_PROXY_ACCESS_LOG": "${{shared.ACCESS_LOG}}"}, False),
        ("gotrue", {"GOTRUE_LOG_LEVEL": "INFO"}, True),
        ("gotrue", {"GOTRUE_LOG_LEVEL": "warn"}, False),
        ("gotrue", {"LOG_LEVEL": "error"}, False),
        ("realtime", {}, True),
        ("realtime", {"LOG_LEVEL": "error"}, False),
        ("minio", {}, False),
        ("postgres_meta", {}, False),
    ],
)
def test_who_logs_each_request(kind: Kind, variables: dict[str, str], all_of_them: bool) -> None:
    assert logs_requests(kind, variables) is all_of_them


def test_what_came_by_a_gateway_is_the_service_s_behind_it() -> None:
    lines = [
        edge("/auth/v1/token"),
        edge("/auth/v1/health"),
        edge("/auth/v1x"),
        edge("/realtime/v1/websocket", 101),
    ]
    found = through_gateway(lines, "Kong", "gotrue", complete=True)
    assert found is not None
    assert (found.origin, found.answered, found.probes, found.tells) == ("HTTP log of Kong", 1, 1, False)
    sockets = through_gateway(lines, "Kong", "realtime", complete=True)
    assert sockets is not None and sockets.answered == 1
    assert through_gateway(lines, "Kong", "storage_api", complete=True) is None
