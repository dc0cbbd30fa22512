"""`ogel webhooks` and `ogel deliveries`: what an operator sees and does, on the database beside a running suite."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any
from unittest import mock

import psycopg
import pytest

from ogel.cli.tables import Column, Table, printable
from tests.support.cli import Finished, ogel_here
from tests.support.contract import settled
from tests.support.process import Client, eventually
from tests.support.receiver import Answer, Receiver, Request

ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.1,0.1"}
Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    """In this process, and without OGEL_SECRET: reading and steering need none."""

    def run(*arguments: str, **settings: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here(*arguments, **{**suite_servers, **settings})

    return run


def document(finished: Finished) -> Any:
    assert finished.err == ""
    return json.loads(finished.out)


def endpoint(api: Client, receiver: Receiver, glob: str, **more: Any) -> str:
    id: str = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [glob], **more})["id"]
    return id


def publish(api: Client, type: str, count: int = 1) -> list[str]:
    events = [{"type": type, "data": n} for n in range(count)]
    return [event["id"] for event in api.ok("POST", "/api/events", events)]


def refusing(_: Request) -> Answer:
    return Answer(500, b"\x1b[31mred\x1b[0m\n\xe2\x80\xaeturned", {"x-why": "because"})


def test_list_and_show_say_what_the_api_says(api: Client, run: Run) -> None:
    with Receiver(refusing) as receiver:
        id = endpoint(api, receiver, "seen.*", headers={"authorization": "Bearer hunter2-hunter2"})
        [event] = publish(api, "seen.a")
        settled(api, event, "failed")
        known = api.ok("GET", f"/api/webhooks/{id}")
        shown = document(run("webhooks", "show", id, "--json"))
        assert {name: shown[name] for name in known} == known
        assert [each["event"] for each in shown["deliveries"]] == [event]
        assert [each["signing"] for each in shown["secrets"]] == ["v1"]
        assert shown["waiting"] == 0
        listed = document(run("webhooks", "list", "--json"))
        assert known in listed["items"]
        human = run("webhooks", "show", id).out
        assert f"id             {id}" in human or f"{id}\n" in human
        for said in ("seen.*", "3 in a row", "status: the receiver answered 500", event, "failed"):
            assert said in human
        assert "hunter2" not in human
        assert "\x1b" not in human  # no terminal, no colours
        [line] = [line for line in run("webhooks", "list").out.splitlines() if line.startswith(id)]
        assert "failing for" in line
        api.ok("DELETE", f"/api/webhooks/{id}")


def test_pages_of_a_list(api: Client, run: Run) -> None:
    with Receiver() as receiver:
        ids = [endpoint(api, receiver, "paged.x") for _ in range(3)]
        first = document(run("webhooks", "list", "--json", "--limit", "2"))
        assert [each["id"] for each in first["items"]] == [ids[2], ids[1]]
        second = document(run("webhooks", "list", "--json", "--limit", "1", "--after", first["next"]))
        assert second["items"][0]["id"] == ids[0]
        assert first["next"] in run("webhooks", "list", "--limit", "2").err
        for id in ids:
            api.ok("DELETE", f"/api/webhooks/{id}")


def test_pause_and_resume(api: Client, run: Run) -> None:
    with Receiver() as receiver:
        id = endpoint(api, receiver, "held.*")
        assert run("webhooks", "pause", id).out == f"{id} paused, deliveries: 0 waiting or under way\n"
        [event] = publish(api, "held.a")
        assert document(run("webhooks", "show", id, "--json"))["waiting"] == 1
        refused = run("webhooks", "test", id)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == f"ogel: Webhook {id!r} is paused; enable it to test it.\n"
        assert document(run("webhooks", "resume", id, "--json"))["state"] == "enabled"
        receiver.wait_for_ids([event], 10)
        records = api.ok("GET", f"/api/audit-logs?resource_id={id}&action=webhook.update")["items"]
        assert len(records) == 2
        assert all(record["actor"].startswith("cli:") for record in records)


def test_a_test_says_how_it_went(api: Client, run: Run) -> None:
    with Receiver() as receiver:
        id = endpoint(api, receiver, "nothing.else")
        went = run("webhooks", "test", id)
        assert went.code == 0
        assert "delivered" in went.out and "204" in went.out
        receiver.answer = refusing
        failed = run("webhooks", "test", id, "--json")
        assert failed.code == 1
        delivery = document(failed)["delivery"]
        assert delivery["log"][0]["response_status"] == 500
        sent = document(run("webhooks", "test", id, "--json", "--no-wait"))
        assert sent["delivery"] is None
        receiver.wait_for_ids([sent["id"]], 10)


def test_a_test_says_at_once_that_the_breaker_is_open(
    api: Client, run: Run, suite_servers: dict[str, str]
) -> None:
    def health() -> dict[str, Any]:
        answer: dict[str, Any] = api.ok("GET", f"/api/webhooks/{id}")["health"]
        return answer

    with Receiver(refusing) as receiver:
        id = endpoint(api, receiver, "broken.*")
        publish(api, "broken.a", 8)
        eventually(lambda: health()["state"] == "open", 30, "the breaker to open")
        # As after a day of it: nothing is probed for an hour.
        with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
            later = "UPDATE job_keys SET probe_at = now() + interval '1 hour', probe_seconds = 3600 WHERE key = %s"
            assert connection.execute(later, (id,)).rowcount == 1
        began = time.monotonic()
        waits = run("webhooks", "test", id)
        assert time.monotonic() - began < 10
        assert waits.code == 1 and "published; `ogel deliveries list --event evt_" in waits.out
        assert "the test waits: its breaker is open (" in waits.err and "it is probed in 60 min" in waits.err
        waits_for = document(run("webhooks", "test", id, "--json"))["waits_for"]
        assert len(waits_for) == 1 and waits_for[0].startswith("its breaker is open")
        api.ok("DELETE", f"/api/webhooks/{id}")


def test_a_test_says_at_once_that_its_queue_stands_still(
    api: Client, run: Run, suite_servers: dict[str, str]
) -> None:
    nobody = suite_servers["REDIS_URL"].rpartition("/")[0] + "/7"
    with Receiver() as receiver:
        id = endpoint(api, receiver, "nothing.else")
        api.ok("POST", "/api/queues/webhooks/pause")
        try:
            waits = run("webhooks", "test", id)
            full = run(
                "webhooks", "test", id, "--no-wait", OGEL_QUEUE_HARD_LIMIT="1", OGEL_QUEUE_SOFT_LIMIT="1"
            )
        finally:
            api.ok("POST", "/api/queues/webhooks/resume")
        assert waits.code == 1 and "the queue is paused; `ogel queues resume webhooks`" in waits.err
        assert full.code == 0 and re.search(r"the queue is full: \d+ jobs wait", full.err)
        alone = run("webhooks", "test", id, REDIS_URL=nobody)
        assert alone.code == 1 and "no worker of the queue runs" in alone.err
        receiver.wait_for_count(3)


def test_without_redis_a_test_is_found_by_polling(api: Client, run: Run) -> None:
    with Receiver() as receiver:
        id = endpoint(api, receiver, "nothing.else")
        assert run("webhooks", "test", id, REDIS_URL="redis://127.0.0.1:1").code == 0
        assert len(receiver.requests) == 1


def test_deliveries_are_listed_shown_and_retried(api: Client, run: Run) -> None:
    with Receiver(refusing) as receiver:
        id = endpoint(api, receiver, "shown.*")
        [event] = publish(api, "shown.a")
        delivery = settled(api, event, "failed")["id"]
        listed = document(
            run("deliveries", "list", "--webhook", id, "--status", "failed", "--since", "5m", "--json")
        )
        assert listed == {"items": api.ok("GET", f"/api/deliveries?webhook={id}")["items"], "next": None}
        assert document(run("deliveries", "list", "--webhook", id, "--until", "1h", "--json"))["items"] == []
        assert run("deliveries", "list", "--status", "cancelled", "--webhook", id).out == "no deliveries\n"
        assert document(run("deliveries", "show", delivery, "--json")) == api.ok(
            "GET", f"/api/deliveries/{delivery}"
        )
        human = run("deliveries", "show", delivery).out
        assert human.count("Attempt ") == 3
        for said in (
            "reason    status",
            "status    500",
            "first byte",
            "x-why: because",
            "| \\x1b[31mred\\x1b[0m",
        ):
            assert said in human
        assert not any(steers in human for steers in ("\x1b", "\u202e"))
        receiver.answer = lambda _: Answer()
        assert run("deliveries", "retry", delivery).code == 0
        settled(api, event, "delivered")
        [record] = api.ok("GET", f"/api/audit-logs?resource_id={delivery}")["items"]
        assert record["actor"].startswith("cli:")


def test_replays(api: Client, run: Run) -> None:
    with Receiver() as receiver:
        id = endpoint(api, receiver, "again.*")
        for event in publish(api, "again.a", 5):
            settled(api, event, "delivered")
        asked = ("webhooks", "replay", id, "--since", "10m", "--only", "all")
        assert document(run(*asked, "--dry-run", "--json"))["count"] == 5
        assert "5 would be replayed" in run(*asked, "--dry-run").out
        assert document(run(*asked, "--event", "other.*", "--dry-run", "--json"))["count"] == 0
        done = document(run(*asked, "--json"))
        assert (done["status"], done["total"], done["replayed"]) == ("completed", 5, 5)
        receiver.wait_for_count(10)
        begun = document(run(*asked, "--per-second", "1", "--no-wait", "--json"))
        assert begun["status"] == "running"
        second = run(*asked)
        assert second.code == 1
        assert begun["id"] in second.err
        assert "paused" in run("webhooks", "replay", begun["id"], "--pause").out
        assert document(run("webhooks", "replay", begun["id"], "--cancel", "--json"))["status"] == "cancelled"
        followed = run("webhooks", "replay", begun["id"])
        assert followed.code == 1
        assert "cancelled" in followed.out


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_leaves_a_replay_running(api: Client, run: Run, suite_servers: dict[str, str]) -> None:
    with Receiver() as receiver:
        id = endpoint(api, receiver, "slow.*")
        for event in publish(api, "slow.a", 30):
            settled(api, event, "delivered")
        arguments = ("replay", id, "--since", "10m", "--only", "all", "--per-second", "1")
        with process(suite_servers, *arguments) as command:
            [replay] = eventually(
                lambda: api.ok("GET", f"/api/replays?webhook={id}&status=running")["items"],
                20,
                "the replay to begin",
            )
            receiver.wait_for_count(32)  # it goes on; so this command waits, or will in a moment
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=20)
        assert (command.returncode, out) == (130, "")
        assert f"ogel webhooks replay {replay['id']}\n" in err
        assert f"ogel webhooks replay {replay['id']} --cancel" in err
        assert api.ok("GET", f"/api/replays/{replay['id']}")["status"] == "running"
        assert run("webhooks", "replay", replay["id"], "--cancel").code == 0


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_tail_follows_attempts_until_ctrl_c(api: Client, suite_servers: dict[str, str]) -> None:
    with Receiver() as receiver:
        id, other = endpoint(api, receiver, "tailed.*"), endpoint(api, receiver, "untold.*")
        [untold], [before] = publish(api, "untold.a"), publish(api, "tailed.a")
        for each in (untold, before):
            settled(api, each, "delivered")
        with process(suite_servers, "tail", "--webhook", id, "--since", "5m", "--json") as tail:
            assert tail.stdout is not None
            first = json.loads(tail.stdout.readline())
            assert (first["event"], first["webhook"], first["outcome"]) == (before, id, "delivered")
            receiver.answer = refusing
            [event] = publish(api, "tailed.b")
            attempts = [json.loads(tail.stdout.readline()) for _ in range(3)]
            assert [(each["event"], each["number"]) for each in attempts] == [(event, n) for n in (1, 2, 3)]
            assert {each["response_status"] for each in attempts} == {500}
            tail.send_signal(signal.SIGINT)
            out, err = tail.communicate(timeout=20)
        assert (tail.returncode, out, err) == (130, "", "\n")
        for each in (id, other):
            api.ok("DELETE", f"/api/webhooks/{each}")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("webhooks", "show", "wh_none"), 1, "ogel: No webhook 'wh_none'.\n"),
        (("webhooks", "pause", "wh_none"), 1, "ogel: No webhook 'wh_none'.\n"),
        (("webhooks", "test", "wh_none"), 1, "ogel: No webhook 'wh_none'.\n"),
        (("webhooks", "replay", "wh_none", "--since", "1h"), 1, "ogel: No webhook 'wh_none'.\n"),
        (("webhooks", "replay", "rpl_none"), 1, "ogel: No replay 'rpl_none'.\n"),
        (("webhooks", "tail", "--webhook", "wh_none"), 1, "ogel: No webhook 'wh_none'.\n"),
        (("deliveries", "show", "dlv_none"), 1, "ogel: No delivery 'dlv_none'.\n"),
        (("deliveries", "retry", "dlv_none"), 1, "ogel: No delivery 'dlv_none'.\n"),
        (("webhooks", "show", "no id"), 2, "'no id' is no id"),
        (("webhooks", "list", "--limit", "0"), 2, "--limit"),
        (("webhooks", "replay", "wh_1"), 2, "say --since"),
        (("webhooks", "replay", "wh_1", "--since", "yesterday"), 2, "'yesterday' is neither a time"),
        (("webhooks", "replay", "wh_1", "--since", "1h", "--until", "2h"), 2, "--until: lies before --since"),
        (("webhooks", "replay", "wh_1", "--since", "1h", "--event", "a b"), 2, "--event: takes"),
        (("webhooks", "replay", "wh_1", "--cancel"), 2, "--cancel is for a replay"),
        (("webhooks", "replay", "rpl_1", "--event", "a.b"), 2, "--event is for a new replay"),
        (("deliveries", "list", "--status", "lost"), 2, "'lost' is not one of"),
        (("deliveries", "list", "--since", "2026-01-01T00:00:00"), 2, "is neither a time"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    refused = run(*arguments)
    assert (refused.code, refused.out) == (code, "")
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_a_table_is_cut_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(
        "none",
        [
            Column("id", itemgetter(0)),
            Column("url", itemgetter(1), gives=True),
            Column("count", itemgetter(2), right=True),
        ],
    )
    row = ("wh_1", "https://example.com/" + "x" * 100, 7)
    for width in (40, None):
        with mock.patch("ogel.cli.tables.terminal_width", return_value=width):
            table.show([row])
        head, line = capsys.readouterr().out.splitlines()
        assert head.split() == ["ID", "URL", "COUNT"]
        assert line.endswith("7")
        assert (len(line) == 40 and "…" in line) if width else row[1] in line
    assert printable("a\x1b]0;title\x07b\u202ec") == "a\\x1b]0;title\\x07b\\u202ec"


def process(servers: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ogel", "webhooks", *arguments],
        env={**os.environ, **servers},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignored, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
