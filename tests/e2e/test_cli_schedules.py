"""`ogel schedules`: made, looked at, run and ended from a terminal, on the database beside a running suite."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from tests.support.cli import Finished, ogel_here
from tests.support.process import Client, eventually

ENVIRONMENT = {"OGEL_SCHEDULES": "cleanup.audit_logs=15 3 * * *; cleanup.replays=off"}
Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    """In this process, with the settings of the suite."""

    def run(*arguments: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here("schedules", *arguments, **{**suite_servers, **ENVIRONMENT})

    return run


def document(finished: Finished) -> Any:
    assert (finished.code, finished.err) == (0, "")
    return json.loads(finished.out)


def test_from_made_to_deleted(api: Client, run: Run) -> None:
    options = ["--timezone", "Europe/Berlin", "--description", "Every night."]
    made = run(
        "create", "nightly", "30 2 * * mon-fri", "--event", "night.fell", "--data", '{"a": 1}', *options
    )
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("nightly enabled, next tick 2")
    assert api.ok("GET", "/api/schedules/nightly")["event"] == {
        "type": "night.fell", "data": {"a": 1}, "subject": None
    }  # fmt: skip
    shown = document(run("show", "nightly", "--json"))
    assert (shown["timezone"], shown["description"]) == ("Europe/Berlin", "Every night.")
    human = run("show", "nightly").out
    for said in ("30 2 * * mon-fri (Europe/Berlin)", "event night.fell", '{"a":1}', "next ticks"):
        assert said in human

    started = document(run("run", "nightly", "--json"))
    assert api.ok("GET", f"/api/events/{started['event']}")["type"] == "night.fell"
    assert "paused, next tick -" in run("pause", "nightly").out
    assert document(run("resume", "nightly", "--json"))["enabled"] is True
    assert run("delete", "nightly").out == "nightly deleted\n"
    gone = run("show", "nightly")
    assert (gone.code, gone.err) == (1, "ogel: No schedule 'nightly'.\n")


def test_a_job_by_hand_is_performed(api: Client, run: Run) -> None:
    document(run("create", "tidy", "@daily", "--job", "cleanup.purge", "--payload", '{"b": 2}', "--json"))
    assert run("run", "tidy").out.startswith("tidy: job job_")
    eventually(lambda: api.ok("GET", "/api/schedules/tidy")["last_outcome"] == "done", 10, "the job")
    run("delete", "tidy")


def test_settings_move_built_in_ones_and_switch_them_off(api: Client, run: Run) -> None:
    lines = {line.split()[0]: line for line in run().out.splitlines()}
    assert lines["NAME"].split() == ["NAME", "CRON", "ZONE", "CAUSES", "LAST", "OUTCOME", "NEXT", "STATE"]
    assert "15 3 * * *" in lines["cleanup.audit_logs"]
    assert "enabled (built in)" in lines["cleanup.audit_logs"]
    assert "off (built in)" in lines["cleanup.replays"]
    listed = document(run("list", "--json", "--limit", "2"))
    names = [each["name"] for each in listed["items"]]
    assert names == sorted(lines.keys() - {"NAME"})[:2]
    assert listed["next"] == names[-1]
    last = document(run("list", "--json", "--after", "cleanup.replays"))
    assert last["next"] is None
    assert last["items"][0]["name"] > "cleanup.replays"
    over_http = {each["name"]: each for each in api.ok("GET", "/api/schedules?limit=100")["items"]}
    assert over_http["cleanup.audit_logs"]["next_tick_at"].endswith("T03:15:00.000000Z")
    assert over_http["cleanup.replays"]["enabled"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "a", "* * * * *"], 2, "--event or --job"),
        (["create", "a", "* * * * *", "--event", "a.b", "--job", "x"], 2, "--event or --job"),
        (["create", "a", "* * * * *", "--job", "x", "--data", "1"], 2, "--data"),
        (["create", "a", "* * * * *", "--event", "a b"], 2, "--event: "),
        (["create", "a", "* * * * *", "--event", "a.b", "--data", "{"], 2, "--data is not JSON"),
        (["create", "a", "* * * * *", "--job", "no.such"], 2, "--job: "),
        (["create", "a", "* * * * *", "--job", "cleanup.purge", "--payload", "[]"], 2, "--payload: "),
        (["create", "a", "nonsense", "--event", "a.b"], 2, "CRON: "),
        (["create", "a", "* * * * * *", "--event", "a.b"], 2, "the least is 60"),
        (["create", "a", "@daily", "--event", "a.b", "--timezone", "Berlin"], 2, "--timezone: "),
        (["create", "A b", "@daily", "--event", "a.b"], 2, "no schedule's name"),
        (["create", "a.b", "@daily", "--event", "a.b"], 2, "NAME: "),
        (["show", "no-such"], 1, "No schedule"),
        (["delete", "cleanup.audit_logs"], 1, "OGEL_SCHEDULES"),
    ],
)
def test_mistakes_are_told_in_one_line(run: Run, arguments: list[str], code: int, said: str) -> None:
    finished = run(*arguments)
    assert (finished.code, finished.out) == (code, "")
    assert said in finished.err.splitlines()[-1]
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no.such=0 3 * * *", "OGEL_SCHEDULES names 'no.such'; there are "),
        ("cleanup.audit_logs=61 * * * *", "OGEL_SCHEDULES: schedule 'cleanup.audit_logs': cron '61 * * * *'"),
        ("nothing.*=off", "OGEL_SCHEDULES names 'nothing.*'; there are "),
        (
            "cleanup.audit_logs",
            "OGEL_SCHEDULES got 'cleanup.audit_logs'; it takes name=cron, name=on or name=off",
        ),
        ("cleanup.audit_logs=off; cleanup.audit_logs=off", "OGEL_SCHEDULES got"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(value: str, said: str) -> None:
    is_refused(["scheduler"], value, said)


@pytest.mark.parametrize(
    "command",
    [["api"], ["worker", "cleanup"], ["worker", "backups"], ["worker", "audit"], ["worker", "--all"]],
)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no.such=off", "OGEL_SCHEDULES names 'no.such'; there are "),
        ("stats.roll_up=at night", "OGEL_SCHEDULES: schedule 'stats.roll_up': cron 'at night'"),
    ],
)
def test_it_stops_every_process_that_has_something_scheduled(
    command: list[str], value: str, said: str
) -> None:
    is_refused(command, value, said)


def is_refused(command: list[str], value: str, said: str) -> None:
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    with mock.patch("ogel.runtime.log.setup.configure_logging"):
        finished = ogel_here(
            *command, OGEL_SCHEDULES=value, OGEL_ADMIN_KEY="k" * 24, OGEL_SECRET="s" * 24, **nowhere
        )
    assert finished.code == 2
    [line] = finished.err.splitlines()
    assert line.startswith(f"ogel: {said}")
