"""Usage, resources, health and alerts, as those who run Ogel see them: over HTTP, as events, on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.cli import ogel, ogel_here
from tests.support.contract import all_pages, assert_problem
from tests.support.process import Client, Ogel, eventually, free_port
from tests.support.prometheus import read_metrics
from tests.support.receiver import Receiver

# A dead job is one too many; what else may be odd on a machine that runs tests is not.
ENVIRONMENT = {
    "OGEL_ALERT_DEAD_JOBS": "0",
    "OGEL_ALERT_DISK_FREE": "0",
    "OGEL_ALERT_CONNECTIONS": "1",
    "OGEL_SLO_API_P95_MS": "600000",
    "OGEL_SLO_API_P99_MS": "600000",
    "OGEL_SLO_DATABASE_P95_MS": "600000",
    "OGEL_SLO_QUEUE_P95_SECONDS": "86400",
}
# Nothing is flushed before the process ends.
AT_THE_END = {"OGEL_USAGE_FLUSH_SECONDS": "60"}


def run(api: Client, schedule: str) -> None:
    """Returns when its job has left the queue: it is done, or dead."""
    id = api.ok("POST", f"/api/schedules/{schedule}/run")["job"]
    eventually(lambda: _is_over(api, id), 15, f"{schedule} to be over")


def _is_over(api: Client, id: str) -> bool:
    job = api("GET", f"/api/jobs/{id}")
    return job.status == 404 or job.json["status"] == "dead"


def values(usage: list[Any], metric: str) -> Mapping[str, int]:
    """By the labels."""
    return {" ".join(each["labels"].values()): each["value"] for each in usage if each["metric"] == metric}


def test_traffic_of_two_processes_is_counted_exactly(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with Receiver() as receiver:
        with ExitStack() as running:
            commands = [("api",), ("api", "--with", "worker")]
            made = [
                Ogel(*command, log=tmp_path / f"{n}.log", **servers, **AT_THE_END)
                for n, command in enumerate(commands)
            ]
            # Together, in half the time.
            with ThreadPoolExecutor() as pool:
                first, second = pool.map(Ogel.start, made)
            for each in made:
                running.push(each)
            hook = {"url": receiver.url(), "events": ["a.*"]}
            first.api.ok("POST", "/api/webhooks", hook)
            for _ in range(5):
                first.api.ok("GET", "/api/events")
            for _ in range(3):
                assert second.api("GET", "/api/events/unknown").status == 404
            assert second.api("GET", "/nowhere").status == 404
            assert first.api("GET", "/api/webhooks", key="wrong").status == 401
            events = [{"id": f"event-{n}", "type": "a.b", "data": n} for n in range(4)]
            first.api.ok("POST", "/api/events", events)
            second.api.ok("POST", "/api/events", events[:1])  # seen before
            second.api.ok("POST", "/api/events", {"type": "b.unheard", "data": "x" * 1000})
            receiver.wait_for_ids([event["id"] for event in events], 10)
        with Ogel("api", "--with", "worker", log=tmp_path / "later.log", **servers, **AT_THE_END) as later:
            run(later.api, "stats.roll_up")
            run(later.api, "stats.roll_up")
            usage = later.api.ok("GET", "/api/usage?by=status,outcome,queue&limit=100")["items"]
            assert values(usage, "http.requests") == {"2xx": 9, "4xx": 5}
            assert values(usage, "events.published") == {"": 5}
            assert values(usage, "deliveries.attempts") == {"delivered": 4}
            assert values(usage, "jobs.performed")["webhooks done"] == 4
            assert values(usage, "http.received_bytes")[""] > 1500
            assert values(usage, "http.sent_bytes")[""] > 1500
            hours = later.api.ok("GET", "/api/usage?bucket=hour&metric=http.requests")["items"]
            assert sum(each["value"] for each in hours) == 14
            assert all(each["labels"] == {} for each in hours)
            assert all_pages(later.api, "/api/usage", 3, by="status,outcome,queue") == usage
            summary = later.api.ok("GET", "/api/usage/summary")["items"]
            known = {each["metric"]: each for each in summary}
            assert known["http.requests"] == {"metric": "http.requests", "today": 14, "this_month": 14}
            assert known["storage.bytes"]["today"] == 0
            # An hour or day that begins at `to` is left out, one that begins at `from` is not.
            at = usage[0]["at"]
            assert later.api.ok("GET", f"/api/usage?to={at}")["items"] == []
            assert (
                later.api.ok("GET", f"/api/usage?from={at}&by=status,outcome,queue&limit=100")["items"]
                == usage
            )
        with ThreadPoolExecutor() as pool:
            asked = [("usage", "--days", "2"), ("usage", "--json")]
            shown, told = pool.map(lambda words: ogel(*words, DATABASE_URL=database_url), asked)
        assert shown.code == 0, shown.err
        assert "REQUESTS" in shown.out.splitlines()[0]
        assert " 14 " in shown.out.splitlines()[1]
        assert values(json.loads(told.out)["items"], "http.requests") == {"2xx": 9, "4xx": 5}


def test_a_killed_process_leaves_what_it_flushed(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_USAGE_FLUSH_SECONDS": "1"}
    with (
        Ogel("api", log=tmp_path / "api.log", **servers) as api,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        api.api.ok("POST", "/api/events", [{"type": "a.b", "data": n} for n in range(9)])
        published = "SELECT sum(value) FROM usage_deltas WHERE metric = 'events.published'"
        eventually(lambda: connection.execute(published).fetchone() == (9,), 10, "a flush")
        api.kill()
        assert connection.execute("SELECT name FROM processes").fetchone()[0].startswith("api ")  # type: ignore[index]


def test_a_scheduled_sample_is_shown(api: Client) -> None:
    schedules = {each["name"]: each["cron"] for each in api.ok("GET", "/api/schedules?limit=100")["items"]}
    assert schedules["stats.resources"] == "*/5 * * * *"
    assert {schedules[name] for name in ("stats.roll_up", "health.check", "alerts.check")} == {"* * * * *"}
    run(api, "stats.resources")
    latest = api.ok("GET", "/api/resources/latest")["items"]
    found = {each["name"] for each in latest}
    assert found >= {
        "database.size_bytes",
        "database.connections",
        "database.connections_share",
        "database.transaction_id_age",
        "database.table_bytes",
        "database.index_bytes",
        "database.dead_rows",
        "redis.memory_bytes",
        "redis.keys",
        "queue.jobs",
        "queue.stuck_seconds",
        "webhooks.breakers",
        "disk.free_bytes",
    }
    assert len({each["sampled_at"] for each in latest}) == 1
    run(api, "stats.resources")
    sizes = api.ok("GET", "/api/resources?name=database.size_bytes")["items"]
    assert len(sizes) >= 2
    assert sizes[0]["value"] > 1_000_000
    assert sizes[0]["sampled_at"] > sizes[1]["sampled_at"]
    assert all_pages(api, "/api/resources", 3, name="queue.jobs") == all_pages(
        api, "/api/resources", 100, name="queue.jobs"
    )
    assert api.ok("GET", f"/api/resources?name=queue.jobs&to={sizes[-1]['sampled_at']}")["items"] == []
    scraped = eventually(
        lambda: (
            (text := api("GET", "/metrics").raw.decode()).count("ogel_cluster_database_size_bytes") and text
        ),
        10,
        "the gauges",
    )
    families = read_metrics(scraped)
    assert 'ogel_cluster_database_table_bytes{table="job_queue"}' in scraped
    assert "ogel_cluster_queue_jobs" in families
    assert families["ogel_cluster_redis_evicted_keys"].type == "counter"
    # What a process counts is shown by itself, not by all others too.
    assert not [name for name in families if name.startswith("ogel_cluster_process")]


def test_an_alert_is_raised_and_cleared_as_an_event(api: Client, suite_servers: dict[str, str]) -> None:
    with (
        Receiver() as receiver,
        psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection,
    ):
        hook = api.ok(
            "POST", "/api/webhooks", {"url": receiver.url("/alerts"), "events": ["platform.alert.*"]}
        )
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, status, max_attempts) "
            "VALUES ('job_dead', 'webhooks', 'trial.dead', '{}', 'dead', 1)"
        )
        run(api, "alerts.check")
        [seen] = [each for each in checked(api)["items"] if each["is_over"]]
        assert (seen["name"], seen["subject"], seen["raised"]) == ("jobs.dead", "webhooks", False)
        assert checked(api)["status"] == "ok"
        for _ in range(3):
            checked(api)  # asking is no check
        assert events_of(api) == []
        run(api, "alerts.check")
        answer = checked(api)
        assert answer["status"] == "warning"
        assert (answer["items"][0]["name"], answer["items"][0]["raised"]) == ("jobs.dead", True)
        assert (answer["items"][0]["value"], answer["items"][0]["threshold"]) == (1, 0)
        run(api, "alerts.check")  # raised already
        assert [each["type"] for each in events_of(api)] == ["platform.alert.raised"]
        api.ok("DELETE", "/api/jobs/job_dead")
        run(api, "alerts.check")
        assert checked(api)["items"][0]["raised"]
        run(api, "alerts.check")
        assert checked(api)["status"] == "ok"
        cleared, raised = events_of(api)
        assert (raised["type"], cleared["type"]) == ("platform.alert.raised", "platform.alert.cleared")
        assert raised["data"] == {
            "name": "jobs.dead", "subject": "webhooks", "level": "warning", "value": 1.0, "threshold": 0.0,
            "since": raised["data"]["since"], "runbook": "docs/runbooks/dead-jobs.md",
        }  # fmt: skip
        receiver.wait_for_ids([raised["id"], cleared["id"]], 10)
        api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def checked(api: Client) -> Any:
    return api.ok("GET", "/api/alerts/check")


def events_of(api: Client) -> list[Any]:
    """Alerts' events, newest first, with what they say."""
    events = api.ok("GET", "/api/events?type=platform.alert.raised")["items"]
    events += api.ok("GET", "/api/events?type=platform.alert.cleared")["items"]
    return [
        api.ok("GET", f"/api/events/{each['id']}")
        for each in sorted(events, key=lambda e: e["id"], reverse=True)
    ]


def test_a_change_of_health_is_an_event(tmp_path: Path, database_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with (
        Receiver() as receiver,
        Ogel("api", "--with", "worker", log=tmp_path / "ogel.log", **servers) as suite,
    ):
        api = suite.api
        api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["platform.health.*"]})
        for _ in range(3):
            run(api, "health.check")
        history = all_pages(api, "/api/health/history", 2)
        assert [each["status"] for each in history] == ["degraded"] * 3
        assert history[0]["checks"] == {"postgres": True, "redis": False}
        [event] = api.ok("GET", "/api/events?type=platform.health.changed")["items"]
        data = api.ok("GET", f"/api/events/{event['id']}")["data"]
        assert (data["before"], data["status"], data["changed"]) == ("healthy", "degraded", {"redis": False})
        receiver.wait_for_ids([event["id"]], 15)
        # Samples of all the rest are still taken.
        run(api, "stats.resources")
        names = {each["name"] for each in api.ok("GET", "/api/resources/latest")["items"]}
        assert "database.size_bytes" in names and "redis.keys" not in names
        suite.kill()  # a clean end would wait seconds for Redis


def test_what_fails_is_tried_again_and_then_dead(api: Client, suite_servers: dict[str, str]) -> None:
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ALTER TABLE resource_samples RENAME TO resource_samples_away")
        id = api.ok("POST", "/api/schedules/stats.resources/run")["job"]
        try:
            dead = eventually(
                lambda: (job := api.ok("GET", f"/api/jobs/{id}"))["status"] == "dead" and job,
                15,
                "a dead job",
            )
        finally:
            connection.execute("ALTER TABLE resource_samples_away RENAME TO resource_samples")
    assert (dead["queue"], dead["attempts"]) == ("stats", 3)
    assert "resource_samples" in dead["last_error"]
    before = api.ok("GET", "/api/resources?name=disk.free_bytes&limit=100")["items"]
    assert api("POST", f"/api/jobs/{id}/retry").status == 202
    eventually(lambda: api("GET", f"/api/jobs/{id}").status == 404, 10, "the retried job")
    assert len(api.ok("GET", "/api/resources?name=disk.free_bytes&limit=100")["items"]) == len(before) + 1


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("usage?metric=nothing", "query.metric"),
        ("usage?metric=a%00b", "query.metric"),
        ("usage?bucket=week", "query.bucket"),
        ("usage?by=route", "query.by"),
        ("usage?by=status,", "query.by"),
        ("usage?by=status%0a", "query.by"),
        ("usage?from=yesterday", "query.from"),
        ("usage?from=2026-01-01T00:00:00", "query.from"),
        ("usage?to=null", "query.to"),
        ("usage?since=2026-01-01T00:00:00Z", "query.since"),
        ("usage?limit=0", "query.limit"),
        ("usage/summary?metric=http.requests", "query.metric"),
        ("resources", "query.name"),
        ("resources?name=disk", "query.name"),
        ("resources?name=%00", "query.name"),
        ("resources/latest?limit=1", "query.limit"),
        ("health/history?after=" + "x" * 600, "query.after"),
        ("alerts/check?level=critical", "query.level"),
    ],
)
def test_bad_input_is_refused_by_name(api: Client, query: str, path: str) -> None:
    assert_problem(api("GET", f"/api/{query}"), 422, path)


@pytest.mark.parametrize("list", ["usage?", "resources?name=disk.free_bytes&", "health/history?"])
@pytest.mark.parametrize(
    "after", ["x", "bnVsbA", "e30", "WzEsMl0", "%00", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSIse31d"]
)
def test_a_cursor_that_no_list_gave_out_is_refused(api: Client, list: str, after: str) -> None:
    assert_problem(api("GET", f"/api/{list}after={after}"), 400, "query.after")


def test_any_time_may_be_asked_for(api: Client) -> None:
    for moment in ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"):
        for path in ("usage?", "resources?name=disk.free_bytes&"):
            for bound in ("from", "to"):
                assert api("GET", f"/api/{path}{bound}={moment}").status in (200, 422)


def test_only_those_who_may_read_stats_do(suite: Ogel) -> None:
    for path in ("usage", "usage/summary", "resources/latest", "health/history", "alerts/check"):
        assert_problem(Client(suite.port, key="")("GET", f"/api/{path}"), 401)


def test_wrong_options_are_one_line() -> None:
    for arguments in (("--days", "0"), ("--days", "x"), ("--since", "1")):
        refused = ogel_here("usage", *arguments, DATABASE_URL="postgresql://127.0.0.1:1/none")
        assert refused.code == 2
        assert "Traceback" not in refused.err


def test_the_command_shows_what_is_raised_with_its_runbook(
    api: Client, suite_servers: dict[str, str]
) -> None:
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, status, max_attempts) "
            "VALUES ('job_dead', 'mail', 'trial.dead', '{}', 'dead', 1)"
        )
        settings = {**suite_servers, **ENVIRONMENT}
        run(api, "alerts.check")
        over = ogel("alerts", **settings)
        assert (over.code, over.out.splitlines()[1].split()[:4]) == (
            0,
            ["jobs.dead", "mail", "warning", "over,"],
        )
        run(api, "alerts.check")
        shown = ogel("alerts", **settings)
        assert (shown.code, len(shown.out.splitlines())) == (1, 2)
        assert "raised" in shown.out
        assert shown.out.splitlines()[1].endswith("docs/runbooks/dead-jobs.md")
        told = ogel("alerts", "--json", **settings)
        assert (told.code, json.loads(told.out)["items"][0]["runbook"]) == (1, "docs/runbooks/dead-jobs.md")
        assert len(ogel("alerts", "--all", **settings).out.splitlines()) > 5
    api.ok("DELETE", "/api/jobs/job_dead")
    for _ in range(2):
        run(api, "alerts.check")
    well = ogel("alerts", **settings)
    assert (well.code, well.out) == (0, "no alert is raised, and nothing is over its threshold\n")
