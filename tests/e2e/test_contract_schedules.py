"""/api/schedules: what users make ticks, causes its event or its job, and says how it went."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.contract import all_pages, assert_problem
from tests.support.process import Client, Ogel, eventually, free_port
from tests.support.receiver import Receiver

# Ticks of a second, which tests can wait for.
ENVIRONMENT = {"OGEL_SCHEDULE_LEAST_SECONDS": "1", "OGEL_SCHEDULER_INTERVAL_SECONDS": "0.1"}
EVERY_SECOND, RARELY = "* * * * * *", "0 0 1 1 *"
JOB = {"kind": "cleanup.purge"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def name(api: Client) -> Iterator[str]:
    """Of a schedule that is gone after the test."""
    name = f"test-{free_port()}"
    yield name
    api("DELETE", f"/api/schedules/{name}")


def make(api: Client, name: str, **wanted: Any) -> Any:
    """One that publishes, unless it is to do a job."""
    causes = {} if "job" in wanted else {"event": {"type": f"tick.{name}", "data": {"n": 1}}}
    return api.ok("POST", "/api/schedules", {"name": name, "cron": RARELY, **causes, **wanted})


def get(api: Client, name: str) -> Any:
    return api.ok("GET", f"/api/schedules/{name}")


def ticked(api: Client, name: str) -> Any:
    return eventually(lambda: (found := get(api, name))["last_tick_at"] and found, 10, f"a tick of {name}")


def events_of(api: Client, name: str) -> list[Any]:
    return all_pages(api, "/api/events", 100, type=f"tick.{name}")


def actions_on(api: Client, name: str) -> list[str]:
    return [r["action"] for r in api.ok("GET", f"/api/audit-logs?resource_id={name}")["items"]]


def jobs_of(api: Client, kind: str) -> list[Any]:
    return [job for job in all_pages(api, "/api/jobs", 100, queue="cleanup") if job["kind"] == kind]


def test_each_tick_is_one_event_that_webhooks_receive(api: Client, receiver: Receiver, name: str) -> None:
    api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": [f"tick.{name}"]})
    event = {"type": f"tick.{name}", "data": {"n": 1.50, "of": ["a"]}, "subject": "order/17"}
    made = api("POST", "/api/schedules", {"name": name, "cron": EVERY_SECOND, "event": event})
    assert made.status == 201
    assert made.json["id"].startswith("sch_")
    assert (made.json["built_in"], made.json["enabled"], made.json["timezone"]) == (False, True, "UTC")
    assert (made.json["last_tick_at"], made.json["last_outcome"], made.json["job"]) == (None, None, None)
    assert made.json["event"] == event
    assert len(made.json["next_ticks"]) == 5
    assert made.json["next_tick_at"] == made.json["next_ticks"][0]

    receiver.wait_for_count(3, 15)
    api.ok("POST", f"/api/schedules/{name}/pause")
    published = events_of(api, name)
    receiver.wait_for_ids([each["id"] for each in published], 10)
    assert receiver.ids() == {each["id"]: 1 for each in published}
    assert {each["subject"] for each in published} == {"order/17"}
    assert b'"n":1.5' in receiver.requests[0].body.replace(b" ", b"")
    found = get(api, name)
    assert (found["last_outcome"], found["last_error"]) == ("published", None)
    assert found["last_event_id"] == published[0]["id"]
    assert found["last_late_seconds"] < 10
    assert (found["next_ticks"], found["next_tick_at"]) == ([], None)


def test_each_tick_is_one_job_that_is_performed(api: Client, suite: Ogel, name: str) -> None:
    job = {"kind": "cleanup.purge", "payload": {"why": "nightly", "tick": "mine"}}
    assert make(api, name, cron=EVERY_SECOND, job=job)["job"] == job
    done = eventually(
        lambda: (found := get(api, name))["last_outcome"] == "done" and found, 10, "a job to be performed"
    )
    assert done["last_job_id"] in suite.log_text()
    assert done["last_error"] is None


def test_a_kind_that_is_gone_leaves_dead_jobs_and_the_schedule_goes_on(
    api: Client, suite_servers: dict[str, str], name: str
) -> None:
    make(api, name, job={**JOB, "payload": {"a": 1}})
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as database:
        # As an upgrade does that no longer has it.
        database.execute("UPDATE schedules SET job_kind = 'gone.kind' WHERE name = %s", [name])
    api.ok("PATCH", f"/api/schedules/{name}", {"cron": EVERY_SECOND})
    dead = eventually(lambda: (found := jobs_of(api, "gone.kind"))[1:] and found, 10, "two dead jobs")
    assert {(each["kind"], each["status"], each["payload"]["a"]) for each in dead} == {
        ("gone.kind", "dead", 1)
    }
    assert len({each["payload"]["tick"] for each in dead}) == len(dead)
    found = get(api, name)
    assert found["last_outcome"] == "dead"
    assert "gone.kind" in found["last_error"]
    # Given a kind that there is, it does it.
    api.ok("PATCH", f"/api/schedules/{name}", {"job": JOB})
    eventually(lambda: get(api, name)["last_outcome"] == "done", 10, "the other kind to be performed")
    api.ok("POST", f"/api/schedules/{name}/pause")
    for each in jobs_of(api, "gone.kind"):
        api.ok("DELETE", f"/api/jobs/{each['id']}")


def test_what_cannot_be_used_any_more_says_so_and_is_mended_by_a_change(
    api: Client, suite_servers: dict[str, str], name: str
) -> None:
    make(api, name)
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as database:
        database.execute(
            "UPDATE schedules SET timezone = 'Mars/Olympus', next_tick_at = now() - interval '3 s' WHERE name = %s",
            [name],
        )
    failed = eventually(
        lambda: (found := get(api, name))["last_outcome"] == "failed" and found, 10, "it to have failed"
    )
    assert "Mars/Olympus" in failed["last_error"]
    assert failed["next_ticks"] == []
    assert_problem(api("POST", f"/api/schedules/{name}/pause"), 409)
    assert_problem(api("PATCH", f"/api/schedules/{name}", {"description": "x"}), 422, "body.timezone")
    mended = api.ok("PATCH", f"/api/schedules/{name}", {"timezone": "Europe/Berlin", "cron": EVERY_SECOND})
    assert len(mended["next_ticks"]) == 5
    eventually(lambda: events_of(api, name), 10, "an event")


def test_paused_and_resumed_without_making_up_for_the_pause(api: Client, name: str) -> None:
    make(api, name, cron=EVERY_SECOND)
    ticked(api, name)
    paused = api.ok("POST", f"/api/schedules/{name}/pause")
    assert paused["enabled"] is False
    count = len(events_of(api, name))
    # Run by hand meanwhile.
    started = api.ok("POST", f"/api/schedules/{name}/run")
    assert started["job"] is None
    assert started["event"] == events_of(api, name)[0]["id"]
    assert get(api, name)["last_tick_at"] == paused["last_tick_at"]
    assert api.ok("POST", f"/api/schedules/{name}/pause")["enabled"] is False
    resumed = api.ok("POST", f"/api/schedules/{name}/resume")
    later = eventually(
        lambda: (found := get(api, name))["last_tick_at"] != resumed["last_tick_at"] and found, 10, "a tick"
    )
    assert later["last_tick_at"] >= resumed["next_tick_at"]
    assert len(events_of(api, name)) <= count + 4
    actions = actions_on(api, name)
    assert actions == [f"schedule.{verb}" for verb in ("resume", "run", "pause", "create")]


def test_changed_and_deleted_while_it_ticks(api: Client, name: str) -> None:
    make(api, name, cron=EVERY_SECOND, description="before")
    ticked(api, name)
    path = f"/api/schedules/{name}"
    changed = api.ok("PATCH", path, {"cron": "0 0 1 7 *", "timezone": "Asia/Tokyo", "description": "after"})
    assert changed["next_tick_at"].endswith("06-30T15:00:00.000000Z")
    assert (changed["description"], changed["event"]["type"]) == ("after", f"tick.{name}")
    assert api.ok("PATCH", path, {"enabled": False})["enabled"] is False
    assert api.ok("PATCH", path, {"enabled": True, "cron": EVERY_SECOND})["enabled"] is True
    assert api.ok("PATCH", path, {})["cron"] == EVERY_SECOND
    last = get(api, name)["last_tick_at"]
    eventually(lambda: get(api, name)["last_tick_at"] > last, 10, "a tick after the change")
    assert api("DELETE", path).status == 204
    count = len(events_of(api, name))
    for method, below in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/run"), ("POST", "/pause")):
        assert_problem(api(method, path + below, {} if method == "PATCH" else None), 404)
    # Its successor has ticks of its own, and none of the past.
    make(api, name, cron=EVERY_SECOND)
    eventually(lambda: len(events_of(api, name)) > count, 10, "a tick of its successor")
    assert actions_on(api, name)[:3] == ["schedule.create", "schedule.delete", "schedule.update"]


def test_of_two_that_make_one_name_one_gets_it(api: Client, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        wanted = {"name": name, "cron": RARELY, "job": JOB}
        statuses = [
            each.status for each in pool.map(lambda _: api("POST", "/api/schedules", wanted), range(8))
        ]
        assert sorted(statuses) == [201, *[409] * 7]
        path = f"/api/schedules/{name}"
        changes = [
            {"description": "x"}, {"enabled": False}, {"cron": "5 5 * * *"}, {"timezone": "Europe/Paris"}
        ]  # fmt: skip
        assert {each.status for each in pool.map(lambda change: api("PATCH", path, change), changes)} == {200}
    found = get(api, name)
    assert (found["description"], found["enabled"]) == ("x", False)
    assert (found["cron"], found["timezone"]) == ("5 5 * * *", "Europe/Paris")


def test_another_api_process_is_heard_by_this_scheduler(
    api: Client, suite_servers: dict[str, str], name: str, tmp_path: Path
) -> None:
    with Ogel("api", log=tmp_path / "other.log", **suite_servers, **ENVIRONMENT) as other:
        make(other.api, name, cron=EVERY_SECOND)
        ticked(api, name)
        other.api.ok("PATCH", f"/api/schedules/{name}", {"cron": RARELY})
        changed = get(api, name)
        assert changed["cron"] == RARELY
        other.api.ok("POST", f"/api/schedules/{name}/run")
        assert len(events_of(other.api, name)) >= 2


def test_built_in_ones_are_listed_among_the_others_and_only_run(api: Client, name: str) -> None:
    make(api, name)
    listed = all_pages(api, "/api/schedules", 2)
    names = [each["name"] for each in listed]
    assert names == sorted(names)
    assert {"audit.seal", "cleanup.events", "cleanup.replays", name} <= set(names)
    assert [each["built_in"] for each in listed] == ["." in each for each in names]
    built_in = get(api, "cleanup.events")
    assert built_in in listed
    assert (built_in["cron"], built_in["timezone"], built_in["id"]) == ("0 2 * * *", "UTC", None)
    assert built_in["job"] == {"kind": "cleanup.purge", "payload": {"what": "events"}}
    assert all(tick.endswith("T02:00:00.000000Z") for tick in built_in["next_ticks"])
    assert api("POST", "/api/schedules/cleanup.events/run").status == 202
    for method, below in (("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        response = api(method, f"/api/schedules/cleanup.events{below}", {} if method == "PATCH" else None)
        assert "OGEL_SCHEDULES" in assert_problem(response, 409)["detail"]


def test_no_backup_is_made_until_somebody_says_so(api: Client) -> None:
    backups = get(api, "backups.create")
    assert (backups["enabled"], backups["cron"], backups["next_ticks"]) == (False, "0 3 * * *", [])


def test_next_ticks_are_of_the_zone(api: Client, name: str) -> None:
    made = make(api, name, cron="30 2 * * *", timezone="America/New_York")
    hours = {datetime.fromisoformat(tick).astimezone(UTC).hour for tick in made["next_ticks"]}
    assert hours <= {6, 7}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "cleanup.events"}, "body.name"),
        ({"name": "Nightly"}, "body.name"),
        ({"name": "a b"}, "body.name"),
        ({"name": "a--b"}, "body.name"),
        ({"name": "a\n"}, "body.name"),
        ({"name": "x" * 65}, "body.name"),
        ({"name": None}, "body.name"),
        ({"cron": ""}, "body.cron"),
        ({"cron": "* * * *"}, "body.cron"),
        ({"cron": "61 * * * *"}, "body.cron"),
        ({"cron": "0 0 30 2 *"}, "body.cron"),
        ({"cron": "@reboot"}, "body.cron"),
        ({"cron": "H * * * *"}, "body.cron"),
        ({"cron": "* " * 60}, "body.cron"),
        ({"cron": "* * * *\x00 *"}, "body.cron"),
        ({"cron": 5}, "body.cron"),
        ({"timezone": "Berlin"}, "body.timezone"),
        ({"timezone": "../../etc/passwd"}, "body.timezone"),
        ({"timezone": "europe/berlin"}, "body.timezone"),
        ({"timezone": ""}, "body.timezone"),
        ({"timezone": None}, "body.timezone"),
        ({"event": None}, "body"),
        ({"job": JOB}, "body"),
        ({"event": {"type": "a b"}}, "body.event.type"),
        ({"event": {"data": 1}}, "body.event.type"),
        ({"event": {"type": "a.b", "data": "x" * 17_000}}, "body.event.data"),
        ({"event": {"type": "a.b", "subject": "a\x00"}}, "body.event.subject"),
        ({"event": None, "job": {"kind": "webhooks.deliver"}}, "body.job.kind"),
        ({"event": None, "job": {"kind": "no.such"}}, "body.job.kind"),
        ({"event": None, "job": {"kind": "a\x00"}}, "body.job.kind"),
        ({"event": None, "job": {**JOB, "payload": []}}, "body.job.payload"),
        ({"event": None, "job": {**JOB, "payload": {"a": "x" * 17_000}}}, "body.job.payload"),
        ({"event": None, "job": {**JOB, "payload": {"a": "\x00"}}}, "body.job.payload"),
        ({"event": None, "job": {**JOB, "payload": {"\\\x00": 1}}}, "body.job.payload"),
        ({"enabled": "yes"}, "body.enabled"),
        ({"description": "x" * 501}, "body.description"),
        ({"description": "a\x00b"}, "body.description"),
        ({"more": 1}, "body.more"),
    ],
)
def test_wrong_input_is_named(api: Client, change: dict[str, Any], path: str) -> None:
    wanted = {"name": "wrong", "cron": RARELY, "event": {"type": "a.b"}, **change}
    wanted = {key: value for key, value in wanted.items() if (key, value) != ("event", None)}
    assert_problem(api("POST", "/api/schedules", wanted), (413, 422), path)
    assert_problem(api("GET", "/api/schedules/wrong"), 404)


def test_wrong_changes_are_named_and_change_nothing(api: Client, name: str) -> None:
    made = make(api, name)
    for change, path in (
        ({"cron": "nonsense"}, "body.cron"),
        ({"timezone": "Nowhere"}, "body.timezone"),
        ({"event": {"type": "a.b"}, "job": JOB}, "body.job"),
        ({"event": None}, "body.event"),
        ({"job": {"kind": "no.such"}}, "body.job.kind"),
        ({"name": "other"}, "body.name"),
    ):
        assert_problem(api("PATCH", f"/api/schedules/{name}", change), 422, path)
    assert get(api, name) == made
    assert_problem(api("GET", "/api/schedules?after=IlwAIg"), 400, "query.after")
    for after in ('"\\u0000"', '"\\ud800"'):
        cursor = base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")
        assert api("GET", f"/api/schedules?after={cursor}").status < 500
    assert_problem(api("GET", "/api/schedules/%00"), (400, 404, 422))
    raw = b'{"name":"raw","cron":"* * * * *","event":{"type":"a.b","data":"\\ud800"}}'
    assert_problem(api("POST", "/api/schedules", raw=raw), (400, 422))
    # An escaped backslash before what looks like a NUL is none.
    api.ok("PATCH", f"/api/schedules/{name}", {"job": {**JOB, "payload": {"a": "\\u0000"}}})
    assert api("POST", f"/api/schedules/{name}/run").status == 202
