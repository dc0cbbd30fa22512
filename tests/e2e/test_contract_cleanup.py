"""Cleanup as its users meet it: over HTTP, on the command line, by the clock, and after `kill -9`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from tests.support.cli import Finished, ogel_here
from tests.support.contract import assert_problem
from tests.support.process import Client, Ogel, eventually

Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    def run(*arguments: str, **settings: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here("cleanup", *arguments, **{**suite_servers, **settings})

    return run


def hoard(url: str, count: int, prefix: str, days: int = 40) -> None:
    """So many events as old as that, which nobody wanted."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO events (id, type, data, created_at) "
            "SELECT %s || n, 'a', '1', now() - make_interval(days => %s) FROM generate_series(1, %s) AS n",
            (prefix, days, count),
        )


def left(url: str, prefix: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM events WHERE id LIKE %s", (f"{prefix}%",)).fetchone()
    assert row is not None
    return int(row[0])


def kind(api: Client, name: str) -> Any:
    [found] = [each for each in api.ok("GET", "/api/cleanup")["items"] if each["kind"] == name]
    return found


def finished_run(api: Client, name: str, job: str) -> Any:
    return eventually(
        lambda: (run := kind(api, name)["last_run"]) and run["job"] == job and run["finished_at"] and run,
        15,
        f"the run {job} of {name} to end",
    )


def test_a_dry_run_counts_what_a_run_then_deletes(suite_servers: dict[str, str], api: Client) -> None:
    url = suite_servers["DATABASE_URL"]
    hoard(url, 700, "http-")
    before = kind(api, "events")
    assert (before["due"], before["retention_days"], before["cron"]) == (700, 30, "0 2 * * *")
    dry = api("POST", "/api/cleanup/events/run", {"dry_run": True})
    assert dry.status == 200
    assert (dry.json["due"], dry.json["job"]) == (700, None)
    assert left(url, "http-") == 700
    assert api.ok("POST", "/api/cleanup/events/run", {"dry_run": True, "older_than_days": 50})["due"] == 0

    started = api("POST", "/api/cleanup/events/run")
    assert (started.status, started.json["due"]) == (202, 700)
    run = finished_run(api, "events", started.json["job"])
    assert (run["status"], run["total"], run["deleted"], run["error"]) == ("completed", 700, 700, None)
    assert left(url, "http-") == 0
    records = api.ok("GET", "/api/audit-logs?resource_type=purge&resource_id=events&limit=2")["items"]
    assert [(record["action"], record["actor"]) for record in records] == [
        ("cleanup.purge", "system"),
        ("cleanup.run", "admin"),
    ]
    assert records[0]["metadata"]["deleted"] == 700


def test_every_kind_runs_by_the_clock(suite_servers: dict[str, str], api: Client) -> None:
    schedules = {each["name"]: each for each in api.ok("GET", "/api/schedules?limit=100")["items"]}
    kinds = [each["kind"] for each in api.ok("GET", "/api/cleanup")["items"]]
    assert {f"cleanup.{kind}" for kind in kinds} == {
        name for name in schedules if name.startswith("cleanup.")
    }
    hoard(suite_servers["DATABASE_URL"], 5, "tick-")
    job = api.ok("POST", "/api/schedules/cleanup.events/run")["job"]
    assert finished_run(api, "events", job)["deleted"] == 5


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"dry_run": "yes"}, "body.dry_run"),
        ({"older_than_days": 0}, "body.older_than_days"),
        ({"older_than_days": 1e9}, "body.older_than_days"),
        ({"limit": 1}, "body"),
    ],
)
def test_what_cannot_be_meant_is_refused(api: Client, body: Any, path: str) -> None:
    problem = assert_problem(api("POST", "/api/cleanup/events/run", body), 422)
    assert problem["errors"][0]["path"].startswith(path)


def test_an_unknown_kind_is_not_found(api: Client) -> None:
    problem = assert_problem(api("POST", "/api/cleanup/everything/run", {"dry_run": True}), 404)
    assert "api_keys, audit_logs" in problem["detail"]
    assert_problem(api("POST", "/api/cleanup/%00/run"), 404)


def test_audit_records_are_kept_whoever_asks(api: Client, run: Run) -> None:
    refused = api("POST", "/api/cleanup/audit_logs/run", {"older_than_days": 1})
    assert "so long audit_logs are kept" in assert_problem(refused, 422, "body.older_than_days")["detail"]
    assert api("POST", "/api/cleanup/audit_logs/run", {"older_than_days": 90, "dry_run": True}).status == 200
    refused = run("run", "audit_logs", "--older-than", "1d", "--dry-run")
    assert refused.code == 2
    assert "--older-than must not be less than 90 days" in refused.err


def test_the_command_line_counts_runs_and_follows(suite_servers: dict[str, str], run: Run) -> None:
    url = suite_servers["DATABASE_URL"]
    hoard(url, 300, "cli-", days=9)
    dry = run("run", "events", "--older-than", "7d", "--dry-run")
    assert (dry.code, dry.out.split(":")[0]) == (0, "300 would be deleted")
    assert json.loads(run("run", "events", "--dry-run", "--json").out)["due"] == 0

    ran = run("run", "events", "--older-than", "7d")
    assert (ran.code, ran.out) == (0, "events completed: 300 deleted\n")
    assert ran.err.startswith("300 to delete: events from before ")
    assert left(url, "cli-") == 0
    again = json.loads(run("run", "events", "--json").out)
    assert (again["status"], again["deleted"]) == ("completed", 0)

    shown = run("list")
    assert shown.code == 0
    [line] = [line for line in shown.out.splitlines() if line.startswith("events")]
    assert "30 d" in line
    assert "completed" in line
    assert {each["kind"] for each in json.loads(run("list", "--json").out)["items"]} >= {
        "events",
        "audit_logs",
    }


def test_mistakes_on_the_command_line_are_one_line(run: Run) -> None:
    for arguments, code, said in (
        (("run", "everything"), 1, "there are"),
        (("run", "events", "--older-than", "soon"), 2, "--older-than"),
        (("run",), 2, "KIND"),
    ):
        refused = run(*arguments)
        assert refused.code == code
        assert said in refused.err
        assert "Traceback" not in refused.err
    cron = run("list", OGEL_SCHEDULES="cleanup.*=at night")
    assert cron.code == 2
    assert "OGEL_SCHEDULES: schedule 'cleanup." in cron.err
    assert "Traceback" not in cron.err


def test_schedules_are_moved_and_switched_off(run: Run) -> None:
    wanted = "cleanup.*=30 4 * * *; cleanup.events=off; cleanup.audit_logs=5 5 * * *"
    shown = json.loads(run("list", "--json", OGEL_SCHEDULES=wanted).out)["items"]
    crons = {each["kind"]: each["cron"] for each in shown}
    assert (crons.pop("events"), crons.pop("audit_logs")) == (None, "5 5 * * *")
    assert set(crons.values()) == {"30 4 * * *"}


def test_kill_9_in_the_middle_of_a_purge(servers: Any, database_url: str, tmp_path: Path) -> None:
    """The next worker goes on where that one stopped, and the count is that of the rows."""
    hoard(database_url, 3_000, "many-")
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": servers.redis_url,
        "OGEL_LEASE_SECONDS": "1",
        "OGEL_DRAIN_SECONDS": "1",
    }
    settings = {"DATABASE_URL": database_url, "REDIS_URL": servers.redis_url}

    def start() -> str:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):
            begun = ogel_here("cleanup", "run", "events", "--no-wait", "--json", **settings)
        assert begun.code == 0, begun.err
        id: str = json.loads(begun.out)["job"]
        return id

    def state() -> tuple[int, bool]:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT deleted, finished_at IS NOT NULL FROM purge_runs").fetchone()
        assert row is not None
        return row[0], row[1]

    with Ogel("worker", "cleanup", log=tmp_path / "first.log", **environment) as first:
        start()
        eventually(lambda: state()[0] > 0, 10, "the first batches")
        first.kill()
    deleted, is_over = state()
    assert not is_over
    assert left(database_url, "many-") == 3_000 - deleted
    with Ogel("worker", "cleanup", log=tmp_path / "second.log", **environment):
        eventually(lambda: state()[1], 30, "the rest to be deleted")
    assert state() == (3_000, True)
    assert left(database_url, "many-") == 0
