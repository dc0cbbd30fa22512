"""Every command that prints a table, with long and foreign values: whole ids, no line wider than the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import wcwidth

from tests.support.cli import Finished, ogel_here
from tests.support.contract import settled
from tests.support.process import Client
from tests.support.receiver import Answer, Receiver

Run = Callable[..., Finished]
EVIL = "\x1b[31mred\x1b[0m\u202e注文👩‍💻 تعیین"
LISTS = [
    "webhooks list",
    "webhooks show {webhook}",
    "deliveries list",
    "deliveries show {delivery}",
    "jobs list",
    "queues",
    "workers",
    "schedules",
    "schedules show shouted",
    "audit list",
    "cleanup list",
    "usage",
    "keys list",
    "users list",
    "secrets status",
    "messages list",
    "mail list",
    "backup list",
    "databases list",
    "databases stats {database}",
]


@pytest.fixture(scope="module")
def names(suite: object, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What the commands look at; made once, at the API."""
    api: Client = suite.api  # type: ignore[attr-defined]
    database: str = api.ok("POST", "/api/databases", {
        "name": "a-rather-long-name-of-a-registered-database", "type": "redis", "host": "cache.internal.example",
        "labels": {"team": EVIL},
    })["id"]  # fmt: skip
    api.ok("POST", "/api/users", {
        "email": f"{'a-rather-long-name' * 3}@example.com", "role": "a role of many words and more than that",
        "labels": ["beta", "staff", "early-adopter"],
    })  # fmt: skip
    api.ok("POST", "/api/schedules", {
        "name": "shouted", "cron": "*/15 8-18 * jan-jun mon-fri", "timezone": "America/Argentina/Buenos_Aires",
        "event": {"type": "a.long.type.of.an.event", "data": {"x": EVIL}}, "description": EVIL * 5,
    })  # fmt: skip
    with Receiver(lambda _: Answer(500, EVIL.encode(), {"x-why": "because"})) as receiver:
        webhook = api.ok("POST", "/api/webhooks", {
            "url": receiver.url() + "/inbound/tenants/0198a1f2-7c3d-7e5f/orders/v2?region=eu-central-1&signed=yes",
            "events": ["very.long.names.of.events.*", "*"], "description": EVIL,
        })["id"]  # fmt: skip
        event = api.ok("POST", "/api/events", {"type": "very.long.names.of.events.happened", "data": EVIL})[
            "id"
        ]
        settled(api, event, "failed")
        delivery = api.ok("GET", f"/api/deliveries?event={event}")["items"][0]["id"]
        yield {"webhook": webhook, "delivery": delivery, "database": database, "event": event}


ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.1"}


@pytest.fixture
def run(names: dict[str, str], suite_servers: dict[str, str]) -> Run:
    def run(typed: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here(
                *typed.format(**names).split(),
                **suite_servers,
                OGEL_SECRET="test-secret-0123456789abcdef-0123",
            )

    return run


@pytest.mark.parametrize("typed", LISTS)
def test_it_fits_terminals_and_is_whole_in_a_pipe(run: Run, names: dict[str, str], typed: str) -> None:
    piped = run(typed)
    assert (piped.code, piped.err) == (0, ""), piped
    assert "…" not in piped.out.replace("whsec_…", "")  # of a secret only its end is ever shown
    for width in (
        (80,) if " show" in typed else (40, 80)
    ):  # what stands between tables goes on below by itself
        with mock.patch("ogel.cli.tables.terminal_width", return_value=width):
            shown = run(typed)
        assert shown.code == 0
        wide = [line for line in shown.out.splitlines() if wcwidth.width(line) > width]
        assert wide == [], (width, shown.out)
        assert all(letter.isprintable() or letter in "\n\u200c\u200d" for letter in shown.out)
        for id in names.values():
            assert (id in shown.out) == (id in piped.out), shown.out


def test_json_is_whole(run: Run, names: dict[str, str]) -> None:
    [endpoint] = json.loads(run("webhooks list --json").out)["items"]
    assert endpoint["description"] == EVIL
