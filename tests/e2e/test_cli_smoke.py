"""`ogel smoke`, as a deployment's last step runs it: against a suite, and against what may be met in its place."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ogel.cli.smoke.parts import ALWAYS, PARTS
from ogel.cli.smoke.problem import EXIT_CODES
from ogel.kernel.clock import utc_now
from tests.conftest import Servers
from tests.support.answering import Asked, Handle, answer, answering
from tests.support.certificates import make_certificate
from tests.support.cli import Finished, ogel, ogel_here
from tests.support.forking import Forked
from tests.support.passing_on import handing_on
from tests.support.process import ADMIN_KEY, Client, Ogel, free_port

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"OGEL_COMMIT": "8f14e45fceea167a5a36dedd4bea2543ab5c1f7e"}
STEPS = ["reached", "health", "key", "version", "schema", "schedules", "queues", "event", "delivery",
         "realtime", "storage", "put away"]  # fmt: skip
PAGE = "text/html"


def smoke(url: str, *arguments: str, key: str = ADMIN_KEY) -> Finished:
    """In a process of its own: it cuts itself off when its time is over."""
    return ogel("smoke", url, *arguments, OGEL_KEY=key)


def outcome(url: str, *arguments: str, key: str = ADMIN_KEY) -> Any:
    finished = smoke(url, *arguments, "--json", key=key)
    assert finished.err == ""
    told = json.loads(finished.out)
    assert told["code"] == finished.code
    return told


def url_of(suite: Ogel) -> str:
    return f"http://127.0.0.1:{suite.port}"


def nothing_is_left(api: Client) -> bool:
    buckets = api.ok("GET", "/api/storage/buckets")["items"]
    endpoints = api.ok("GET", "/api/webhooks")["items"]
    return not [each for each in buckets if each["id"].startswith("ogel-smoke")] and not [
        each for each in endpoints if each["description"].startswith("ogel smoke")
    ]


def test_a_suite_that_is_well_passes_within_its_time_and_nothing_stays(suite: Ogel, api: Client) -> None:
    scopes = sorted({*ALWAYS, *(scope for part in PARTS.values() for scope in part)})
    key = api.ok("POST", "/api/keys", {"name": "smoke", "scopes": scopes})["key"]
    began = time.monotonic()
    commit = ENVIRONMENT["OGEL_COMMIT"][:12]
    finished = smoke(url_of(suite), "--version", "0.1.0", "--commit", commit, key=key)
    assert (finished.code, finished.err) == (0, ""), finished.out
    assert time.monotonic() - began < 30
    lines = finished.out.splitlines()
    assert [re.split(r" {2,}", line.removeprefix("ok"))[1] for line in lines[:-1]] == STEPS
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert "0.1.0 of 8f14e45fceea" in finished.out
    assert nothing_is_left(api)
    [event] = [each for each in api.ok("GET", "/api/events")["items"] if each["type"] == "ogel.smoke"]
    deliveries = api.ok("GET", f"/api/deliveries?event={event['id']}")["items"]
    assert [each["status"] for each in deliveries] in (["delivered"], [])


def test_what_an_earlier_run_left_is_cleared_away(suite: Ogel, api: Client) -> None:
    over, not_over = (
        (utc_now() + by).strftime("%Y%m%dt%H%M%Sz") for by in (timedelta(minutes=-1), timedelta(minutes=5))
    )
    for id in (f"ogel-smoke-{over}-1", f"ogel-smoke-{not_over}-2", "ogel-smoke-signals"):
        api.ok("POST", "/api/storage/buckets", {"id": id})
    api("POST", f"/storage/v1/object/ogel-smoke-{over}-1/left", raw=b"left")
    new = {"kind": "listener", "url": "https://smoke.invalid/", "events": ["ogel.smoke"]}
    endpoint = api.ok("POST", "/api/webhooks", {**new, "description": f"ogel smoke, until {over}"})["id"]
    told = outcome(url_of(suite), "--skip", "realtime")
    assert told["steps"][-1]["detail"] == "nothing is left; 2 of earlier runs are gone"
    assert api("GET", f"/api/webhooks/{endpoint}").status == 404
    left = [each["id"] for each in api.ok("GET", "/api/storage/buckets")["items"]]
    assert sorted(left) == sorted([f"ogel-smoke-{not_over}-2", "ogel-smoke-signals"])
    for id in left:
        api.ok("DELETE", f"/api/storage/buckets/{id}")


def test_another_version_another_commit_a_wrong_key_and_one_that_may_too_little(
    suite: Ogel, api: Client
) -> None:
    url = url_of(suite)
    told = outcome(url, "--version", "9.9.9", "--skip", "storage", "--skip", "realtime", "--skip", "delivery")
    assert (told["cause"], told["version"]) == ("version", "0.1.0")
    assert [step["detail"] for step in told["steps"] if not step["ok"]] == [
        "0.1.0 runs, and 9.9.9 is expected"
    ]
    began = time.monotonic()
    assert outcome(url, "--commit", "a" * 40, "--wait", "1")["cause"] == "version"
    assert time.monotonic() - began >= 1  # it might still have come
    assert outcome(url, key="ogel_nobody")["cause"] == "key"
    scopes = ["metrics:read", "jobs:read", "storage:*"]
    key = api.ok("POST", "/api/keys", {"name": "smoke", "scopes": scopes})["key"]
    told = outcome(url, key=key)
    assert told["cause"] == "scopes"
    lacks = "lacks events:write, realtime:read, schedules:read, webhooks:read, webhooks:write"
    assert told["steps"][-1]["detail"].endswith(lacks)
    some = ("--skip", "schedules", "--skip", "delivery", "--skip", "realtime")
    assert outcome(url, *some, key=key)["ok"]


def test_what_nobody_does_has_a_code_of_its_own(database_url: str, servers: Servers, tmp_path: Path) -> None:
    """An API alone: no worker, no clock, no WebSocket."""
    settings = {"DATABASE_URL": database_url, "REDIS_URL": servers.redis_url.removesuffix("/0") + "/1"}
    with Ogel("api", log=tmp_path / "ogel.log", **settings) as alone:
        told = outcome(url_of(alone), "--seconds", "9")
        assert nothing_is_left(alone.api)
    failed = {step["name"]: step["cause"] for step in told["steps"] if not step["ok"]}
    assert failed == {"queues": "queues", "delivery": "delivery", "realtime": "realtime"}
    assert (told["cause"], told["seconds"] < 9) == ("queues", True)


def test_an_altered_delivery_and_an_altered_object_are_found(suite: Ogel, api: Client) -> None:
    def alter(asked: Asked, body: bytes) -> bytes:
        if asked.target.partition("?")[0].endswith("/handovers"):
            return body.replace(b"sent", b"SENT")
        return body[1:] if "/authenticated/" in asked.target else body

    with answering(handing_on(suite, alter)) as there:
        told = outcome(there.url, "--skip", "realtime")
    failed = {step["name"]: step["cause"] for step in told["steps"] if not step["ok"]}
    assert failed == {"delivery": "signature", "storage": "storage"}
    assert nothing_is_left(api)


def test_one_that_is_told_to_stop_puts_everything_away(suite: Ogel, api: Client, tmp_path: Path) -> None:
    reading, told = threading.Event(), threading.Event()

    def hang(asked: Asked, body: bytes) -> bytes:
        if "/authenticated/" in asked.target:
            reading.set()
            told.wait(20)
        return body

    with answering(handing_on(suite, hang)) as there, (tmp_path / "out").open("wb") as out:
        arguments = ("smoke", there.url, "--skip", "realtime", "--skip", "schedules")
        environment = {**suite.environment, "OGEL_KEY": ADMIN_KEY, "PORT": "0"}
        running = Forked(arguments, environment, out.fileno(), out.fileno())
        try:
            assert reading.wait(20)
            running.send_signal(signal.SIGTERM)
            code = running.wait(10)
        finally:
            told.set()
            running.kill()
    assert code == 130, (tmp_path / "out").read_text()
    assert nothing_is_left(api)


def of_edge(status: int, message: str) -> bytes:
    return json.dumps(
        {"status": "error", "code": status, "message": message, "request_id": "XtPVyNZGTDKgJLzoEBYcVQ"}
    ).encode()


@pytest.mark.parametrize(
    ("given", "cause", "line"),
    [
        (answer(502, of_edge(502, "Application failed to respond")), "no_application",
         "Railway answers in its place (Application failed to respond): the process is not up, or the port of the"
         " domain is not its PORT"),
        (answer(404, of_edge(404, "Application not found")), "no_application",
         "Railway answers in its place (Application not found): nothing is deployed behind this domain, or it is"
         " paused"),
        (answer(404, b'{"status":"error","code":404,"message":"Application not found"}'), "no_application", "paused"),
        (answer(502, b"<html>train</html>", PAGE, x_railway_fallback="true"), "no_application",
         "Railway answers in its place (with 502): the process is not up"),
        (answer(301, b"", PAGE, location="https://127.0.0.1/health/live"), "redirected",
         "sends us to https://127.0.0.1/health/live: say https://, because on the way from http:// a POST becomes"
         " a GET"),
        (answer(302, b"", PAGE, location="https://login.example/?next=secret"), "redirected",
         "sends us to https://login.example/: if that is your Ogel, name that address"),
        (answer(302, b"", PAGE, location="http://["), "redirected", "sends us to http://[: if that is your Ogel"),
        (answer(200, b"<html>a shop</html>", PAGE), "not_ogel",
         "answers with a page for people: is this the address of an Ogel?"),
        (answer(502, b"<html>nginx</html>", PAGE), "no_application", "answered 502 with text/html, not as Ogel does"),
        (answer(404, b"no such page", "text/plain"), "not_ogel", "answered 404 with text/plain, not as Ogel does"),
        (answer(200, b'{"status":"ok"}'), "not_ogel", "does not say that it is alive: is it an Ogel?"),
        (answer(200, b'["alive"]'), "not_ogel", "does not answer as Ogel does"),
        (answer(200, b'{"status":"\xff"}'), "not_ogel", "does not answer as Ogel does"),
        (answer(200, b'{"status":' + b"[" * 100_000), "not_ogel", "does not answer as Ogel does"),
        (answer(200, b'{"a":' * 100_000), "not_ogel", "does not answer as Ogel does"),
        (answer(500, b'{"detail":"\xff"}', "application/problem+json"), "not_ogel", "answered 500"),
        (answer(500, b'{"message":"\xff"}'), "not_ogel", "answered 500"),
        (answer(503, b'{"status":"unready","checks":{},"reasons":{"postgres":"It does not answer."}}'),
         "not_ogel", "answered 503"),
    ],
)  # fmt: skip
def test_whoever_answers_in_its_place_is_told_in_one_line(given: Handle, cause: str, line: str) -> None:
    with answering(given) as there:
        finished = smoke(there.url, key="k")
    assert finished.code == EXIT_CODES[cause]  # type: ignore[index]
    assert line in finished.out and len(finished.out.splitlines()) == 1, finished.out
    assert re.fullmatch(rf"ogel: {cause}; exit code {finished.code}, after \d+\.\d s\n", finished.err)


@pytest.mark.parametrize(
    ("status", "headers", "cause", "words"),
    [
        (401, {}, "key", "does not know this key: Words of Ogel's."),
        (403, {}, "key", "Words of Ogel's."),
        (429, {"retry_after": "600"}, "limited", "Words of Ogel's."),
        (503, {}, "not_ready", "Words of Ogel's."),
        (500, {}, "key", "Words of Ogel's."),
    ],
)
def test_what_ogel_itself_refuses_is_told_in_its_words(
    suite: Ogel, status: int, headers: dict[str, str], cause: str, words: str
) -> None:
    problem = {"type": "urn:ogel:x", "title": "X", "status": status, "detail": "Words of Ogel's."}
    refuses = answer(status, json.dumps(problem).encode(), "application/problem+json", **headers)
    passing = handing_on(suite)

    def asked_who_it_is(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        (refuses if asked.target == "/api/me" else passing)(handler, asked)

    with answering(asked_who_it_is) as there:
        told = outcome(there.url)
    assert (told["cause"], words in told["steps"][-1]["detail"]) == (cause, True)


def test_nobody_there_no_tls_and_a_strange_certificate(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    with answering(answer(200, b"{}"), certificate) as tls, answering(answer(200, b"{}")) as plain:
        for url, cause, line in (
            (f"http://127.0.0.1:{free_port()}", "unreachable", "Connection refused"),
            (f"https://localhost:{tls.port}", "tls", "shows a certificate that is not good: self-signed"),
            (f"https://127.0.0.1:{plain.port}", "tls", "speaks no TLS: is it http:// there?"),
        ):
            finished = smoke(url)
            assert finished.code == EXIT_CODES[cause], finished.out  # type: ignore[index]
            assert line in finished.out


def test_a_slow_start_is_waited_for(suite: Ogel) -> None:
    began = time.monotonic()
    starting, there_at_last = answer(502, of_edge(502, "Application failed to respond")), handing_on(suite)

    def start(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        (there_at_last if time.monotonic() - began > 1.5 else starting)(handler, asked)

    with answering(start) as there:
        assert smoke(there.url, "--skip", "realtime").code == EXIT_CODES["no_application"]
        assert smoke(there.url, "--skip", "realtime", "--wait", "20").code == 0
        assert time.monotonic() - began > 1.5


def test_one_that_never_answers_costs_no_more_than_was_said() -> None:
    never = threading.Event()
    with answering(lambda handler, asked: never.wait(20) and None) as there:
        began = time.monotonic()
        finished = smoke(there.url, "--seconds", "5")
        seconds = time.monotonic() - began
        never.set()
    assert finished.code in (EXIT_CODES["unreachable"], EXIT_CODES["time"])
    assert seconds < 7


def test_it_asks_for_a_key_and_an_address() -> None:
    assert ogel_here("smoke", "http://localhost:1").err.endswith(
        "Error: a key is needed: --key, or the variable OGEL_KEY\n"
    )
    assert smoke("localhost:1").err == "ogel: URL takes a URL such as https://ogel.example.com\n"
