"""What a hostile first user sends: always a problem that names the field, never a 500, never a trace of a change."""

from __future__ import annotations

import http.client
import json
import socket

import psycopg
import pytest

from ogel.kernel.ids import new_id
from tests.support.contract import all_pages, assert_problem, settled
from tests.support.process import ADMIN_KEY, Client, Ogel

# Nothing private may be reached: what a deployment without the setting has.
ENVIRONMENT = {"OGEL_WEBHOOK_ALLOW_NETS": "", "OGEL_MAX_EVENT_BYTES": "4096", "OGEL_MAX_BODY_BYTES": "65536"}
HOOK = {"url": "https://hooks.example.com/", "events": ["a.b"]}
EVENT = {"type": "a.b", "data": None}


def private_name() -> str:
    """One that this machine's own resolver takes to a private address; if possible none that looks like it."""
    name = socket.getfqdn()
    try:
        found = socket.getaddrinfo(name, 80, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        return "localhost"
    private = ("127.", "10.", "172.", "192.168.", "169.254.")
    return name if found[0][4][0].startswith(private) else "localhost"


def test_a_name_of_a_private_address_is_refused_at_delivery(
    api: Client, suite_servers: dict[str, str]
) -> None:
    """The row of an endpoint that was made before such names were refused."""
    type = f"inside.{new_id('x')}"
    hook = api.ok("POST", "/api/webhooks", {**HOOK, "events": [type]})
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        url = f"http://{private_name()}/"
        connection.execute("UPDATE webhook_endpoints SET url = %s WHERE id = %s", (url, hook["id"]))
    event = api.ok("POST", "/api/events", {"type": type, "data": 0})
    failed = settled(api, event["id"], "failed")
    [attempt] = failed["log"]  # permanent: it is not tried again
    assert attempt["reason"] == "refused_address"
    assert attempt["peer"] is None
    assert not any(digits in json.dumps(attempt["detail"]) for digits in ("127.", "10.", "172.", "192."))


def test_other_methods_are_refused_with_those_allowed(api: Client) -> None:
    for method in ("OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        refused = api(method, "/api/events")
        assert_problem(refused, 405)
        assert refused.headers["allow"] == "GET, HEAD, POST"
    head = api("HEAD", "/api/events")
    assert (head.status, head.raw) == (200, b"")
    assert api("HEAD", "/api/health").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/", "/api/events/", "//api/events", "/api/nothing", "/.git/config"]
)
def test_other_paths_are_not_found(api: Client, path: str) -> None:
    assert_problem(api("GET", path), 404)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Basic {ADMIN_KEY}", f"Bearer {ADMIN_KEY}x", f"Bearer {ADMIN_KEY[:-1]}", ADMIN_KEY,
     "Bearer " + "x" * 5000, "Bearer \u00e9\u00e9", f"Bearer {ADMIN_KEY} {ADMIN_KEY}"],
)  # fmt: skip
def test_a_wrong_key_is_refused(suite: Ogel, header: str) -> None:
    client = Client(suite.port, key="")
    sent = {"authorization": header} if header else {}
    for method, path in (("GET", "/api/events"), ("POST", "/api/webhooks"), ("GET", "/metrics")):
        refused = client(method, path, headers=sent)
        assert_problem(refused, 401)
        assert refused.headers["www-authenticate"].startswith("Bearer")


def test_a_declared_length_over_the_limit_is_refused_before_the_body(suite: Ogel) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", suite.port, timeout=10)
    connection.putrequest("POST", "/api/events")
    connection.putheader("authorization", f"Bearer {ADMIN_KEY}")
    connection.putheader("content-length", str(10**12))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["status"] == 413
    connection.close()


def test_a_body_that_only_grows_too_large_is_refused(suite: Ogel) -> None:
    """Chunked, so that no length says it beforehand."""
    connection = http.client.HTTPConnection("127.0.0.1", suite.port, timeout=10)
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    connection.request(
        "POST", "/api/events", body=(b" " * 8192 for _ in range(16)), headers=headers, encode_chunked=True
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_none_of_it_was_an_error_of_ours(suite: Ogel) -> None:
    """Last in this file: the log of everything above."""
    # While the suite was starting, its readiness was asked for and rightly denied.
    lines = [line for line in suite.log_text().splitlines() if '"/health/ready"' not in line]
    assert [line for line in lines if '"http.error"' in line or '"level": "error"' in line] == []
    statuses = {json.loads(line)["status"] for line in lines if '"http.request"' in line}
    assert not {status for status in statuses if status >= 500}
    assert all_pages(suite.api, "/api/events", 100, type="half.good") == []
