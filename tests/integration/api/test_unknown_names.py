"""Filters that name what there is not, and fields that are written otherwise: said in words, at both doors."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

import ogel.features
from ogel.kernel.text import words_of
from tests.support.cli import Finished, ogel_here
from tests.support.process import Client

Run = Callable[..., Finished]


@pytest.fixture
def run(api: Client, suite_servers: dict[str, str]) -> Run:
    def run(*arguments: str, **settings: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here(*arguments, **{**suite_servers, "OGEL_SECRET": "x" * 32, **settings})

    return run


QUEUES = "there are audit, cleanup, databases, mail, messaging, migrations, realtime, stats, webhooks"
UNKNOWN = [
    ("/api/deliveries?webhook=wh_none", "query.webhook", "there is no webhook 'wh_none'"),
    ("/api/deliveries?event=evt_none", "query.event", "there is no event 'evt_none'"),
    ("/api/deliveries?event=evt_none&status=failed", "query.event", "there is no event 'evt_none'"),
    ("/api/replays?webhook=wh_none", "query.webhook", "there is no webhook 'wh_none'"),
    ("/api/jobs?queue=webhook", "query.queue", f"there is no queue 'webhook'; {QUEUES}"),
    ("/api/jobs?queue=%1b%5b31m", "query.queue", f"there is no queue '\\x1b[31m'; {QUEUES}"),
    ("/api/jobs?kind=webhook.deliver", "query.kind", "there is no kind 'webhook.deliver'; did you mean"),
    ("/api/jobs?kind=x&status=done", "query.kind", "there is no kind 'x'"),
    ("/api/resources?name=disk", "query.name", "is none of"),
]


@pytest.mark.parametrize(("path", "field", "said"), UNKNOWN)
def test_a_filter_that_names_nothing_is_refused(api: Client, path: str, field: str, said: str) -> None:
    answer = api("GET", path)
    assert answer.status == 422
    [error] = answer.json["errors"]
    assert error["path"] == field and error["message"].startswith(said)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("deliveries list --webhook wh_none", "--webhook: there is no webhook 'wh_none'"),
        ("deliveries list --event evt_none --json", "--event: there is no event 'evt_none'"),
        ("jobs list --queue webhook", f"--queue: there is no queue 'webhook'; {QUEUES}"),
        ("jobs list --kind webhooks.delivr", "--kind: there is no kind 'webhooks.delivr'; did you mean webhooks.del"),
    ],
)  # fmt: skip
def test_the_command_line_names_its_option(run: Run, typed: str, said: str) -> None:
    refused = run(*typed.split())
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err


@pytest.mark.parametrize("verb", [["retry", "--dead"], ["purge", "--yes"]])
def test_what_is_done_to_many_jobs_is_done_to_those_there_are(run: Run, verb: list[str]) -> None:
    refused = run("jobs", *verb, "--queue", "mial")
    assert refused.code == 1 and f"There is no queue 'mial'; {QUEUES}." in refused.err
    refused = run("jobs", *verb, "--queue", "mail", "--kind", "mail.sned")
    assert refused.code == 1 and "There is no kind 'mail.sned'; did you mean mail.send" in refused.err


def test_what_there_is_may_have_nothing(api: Client, run: Run) -> None:
    id = api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:9/x", "events": ["never.*"]})["id"]
    event = api.ok("POST", "/api/events", {"type": "quite.alone", "data": 1})["id"]
    for path in (
        f"/api/deliveries?webhook={id}",
        f"/api/deliveries?event={event}",
        f"/api/replays?webhook={id}",
    ):
        assert api.ok("GET", path) == {"items": [], "next": None}
    for queue in ("audit", "mail"):
        assert api("GET", f"/api/jobs?queue={queue}&status=dead").status == 200
    assert run("deliveries", "list", "--webhook", id).out == "no deliveries\n"
    # A search is no name: nothing is wrong with one that finds nothing.
    for path in (
        "/api/events?type=none.such",
        "/api/audit-logs?actor=nobody",
        "/api/mail?to=nobody@example.com",
    ):
        assert api.ok("GET", path)["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/api/events", {"type": "a b", "data": 1}, "words of letters, digits, _ and - with dots"),
        ("POST", "/api/events", {"type": "a\n", "data": 1}, "words of letters, digits, _ and - with dots"),
        ("POST", "/api/events", {"type": "a", "data": 1, "id": "a.b"}, "1 to 128 letters, digits, _ and -"),
        ("POST", "/api/events", {"type": "a", "data": 1, "subject": "a\0"}, "text without the character NUL"),
        ("POST", "/api/webhooks", {"url": "http://127.0.0.1:9", "events": ["a b"]}, "an event's type, in which *"),
        ("POST", "/api/schedules", {"name": "A b", "cron": "@daily", "event": {"type": "a"}}, "a slug"),
        ("POST", "/api/messages", {"channel": "sms", "to": ["123"], "text": "x"}, "a number in E.164"),
        ("POST", "/api/mail", {"to": "a@b.example", "template": "A B"}, "a template's name"),
        ("POST", "/api/databases", {"name": "A", "type": "redis", "host": "x"}, "a slug"),
        ("POST", "/api/databases", {"name": "a", "type": "redis", "host": "x", "labels": {" ": "x"}}, "63 letters"),
        ("GET", "/api/usage?by=status,color", None, "any of "),
        ("GET", "/api/jobs?queue=%00", None, "text without the character NUL"),
    ],
)  # fmt: skip
def test_what_a_field_takes_is_said_in_words(
    api: Client, method: str, path: str, body: Any, words: str
) -> None:
    answer = api(method, path, body)
    assert answer.status == 422, answer.raw
    assert "regex" not in answer.raw.decode() and "(?" not in answer.raw.decode()
    assert any(error["message"].startswith(f"takes {words}") for error in answer.json["errors"]), answer.raw


def test_every_pattern_has_words(api: Client) -> None:
    for module in pkgutil.walk_packages(ogel.features.__path__, "ogel.features."):
        importlib.import_module(module.name)
    document = api.ok("GET", "/openapi.json")
    patterns = set(patterns_of(document))
    assert len(patterns) > 10
    assert [each for each in patterns if words_of(each) == words_of("of nobody")] == []


def patterns_of(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        for each in part.values():
            yield from patterns_of(each)
    elif isinstance(part, list):
        for each in part:
            yield from patterns_of(each)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--url-from NOWHERE_URL", "--url-from: the variable 'NOWHERE_URL' is not set"),
        ("--url-from EMPTY_URL", "--url-from: the variable EMPTY_URL is empty"),
        ("--url-from WRONG_URL", "--url-from: "),
        ("--url-from WRONG_PORT", "--url-from: "),
        ("--url-from GOOD_URL --host x", "--url-from"),
        ("--type redis --host a_b!", "--host: takes a host name or address"),
        ("--type redis --host x --port 70000", "--port: "),
        (
            "--type redis --host x --password-from NOWHERE",
            "--password-from: the variable 'NOWHERE' is not set",
        ),
        ("--type redis --host x --label a b", "unexpected extra argument"),
        ("--type redis --host x --label =b", "--label: takes 63 letters"),
    ],
)
def test_errors_of_a_new_database_name_the_option(run: Run, typed: str, said: str) -> None:
    variables = {
        "EMPTY_URL": "", "WRONG_URL": "mysql://u:hunter2@h/d", "WRONG_PORT": "redis://:hunter2@h:99999/0",
        "GOOD_URL": "redis://:hunter2@h:6379/0",
    }  # fmt: skip
    refused = run("databases", "add", "orders", *typed.split(), **variables)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err and "regex" not in refused.err and "body." not in refused.err
    assert "hunter2" not in refused.err
    named = run("databases", "add", "Orders!", "--type", "redis", "--host", "x")
    assert "NAME: takes a slug" in named.err
