"""Service level objectives, as those who run Ogel see them: what the access log says, `GET /api/slo` says, too."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ogel.kernel.clock import utc_now
from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, SECRET, Client, Ogel, eventually
from tests.support.prometheus import read_metrics
from tests.support.railway import Deployment, RailwayServer, World

CLASSES = ("read", "write", "publish")
# Nothing is flushed before a process ends, but what is killed.
AT_THE_END = {"OGEL_USAGE_FLUSH_SECONDS": "60"}

# What a machine that runs tests cannot miss.
LENIENT = {
    "OGEL_SLO_API_P95_MS": "600000",
    "OGEL_SLO_API_P99_MS": "600000",
    "OGEL_SLO_DATABASE_P95_MS": "600000",
    "OGEL_SLO_QUEUE_P95_SECONDS": "86400",
    "OGEL_SLO_UPTIME": "0.5",
}


def requests_of(logs: Sequence[Path]) -> Mapping[str, list[Mapping[str, Any]]]:
    """The access log's lines by class."""
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in CLASSES}
    for log in logs:
        for line in log.read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "http.request" and entry["rate"] in found:
                found[entry["rate"]].append(entry)
    return found


def nearest_rank(values: Sequence[float], percent: int) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@contextmanager
def slow(database_url: str, table: str, seconds: float) -> Iterator[None]:
    """Whoever asks for these rows meanwhile waits until the end of the block, which comes after so many seconds."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"LOCK TABLE ogel.{table} IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        yield
        time.sleep(max(0.0, began + seconds - time.monotonic()))


@contextmanager
def broken(database_url: str, table: str) -> Iterator[None]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE ogel.{table} RENAME TO hidden")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE ogel.hidden RENAME TO {table}")


def mixed(api: Client, database_url: str, slow_ones: int) -> None:
    """Fast, slow and failing requests, and some that are none: probes."""
    with ThreadPoolExecutor(8) as pool:
        with slow(database_url, "webhook_endpoints", 0.3):
            late = []
            for _ in range(slow_ones):
                late.append(pool.submit(api, "GET", "/api/webhooks"))
                time.sleep(0.02)
        assert {each.result().status for each in late} == {200}
        with broken(database_url, "teams"):
            failed = list(pool.map(lambda _: api("GET", "/api/teams").status, range(5)))
        assert failed == [500] * 5
        for _ in pool.map(lambda _: api("GET", "/api/events?limit=1"), range(60)):
            pass
        for n in pool.map(lambda n: api("POST", "/api/events", {"type": "a.b", "data": n}).status, range(20)):
            assert n == 202
        assert api("POST", "/api/webhooks", {"url": "nonsense"}).status == 422
        assert api("GET", "/nowhere").status == 404
        assert api("GET", "/metrics").status == 200


def run(api: Client, schedule: str) -> None:
    id = api.ok("POST", f"/api/schedules/{schedule}/run")["job"]
    eventually(lambda: api("GET", f"/api/jobs/{id}").status == 404, 15, f"{schedule} to be over")


def values(report: Any, window: str) -> Mapping[str, Any]:
    return {each["name"]: each["windows"][window] for each in report["items"]}


def test_it_agrees_with_the_access_log_across_restarts_and_processes(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **AT_THE_END}
    first = Ogel("api", log=tmp_path / "first.log", **servers)
    second = Ogel("api", "--processes", "2", log=tmp_path / "second.log", **servers)
    with first, second:
        mixed(first.api, database_url, 8)
        mixed(second.api, database_url, 3)
        assert first.terminate() == 0
        first.start()
        mixed(first.api, database_url, 5)
    lines = requests_of([tmp_path / "first.log", tmp_path / "second.log"])
    assert {name: len(of_class) for name, of_class in lines.items()} == {
        "read": 3 * 65 + 16,
        "write": 3,
        "publish": 60,
    }

    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_ADMIN_KEY": ADMIN_KEY,
        "OGEL_SECRET": SECRET,
    }
    shown = ogel("slo", "--json", **settings)
    assert (shown.code, shown.err) == (1, "")  # too many errors
    report = json.loads(shown.out)
    for window in ("1h", "24h", "30d"):
        told = values(report, window)
        for name, of_class in lines.items():
            seconds = [each["ms"] / 1000 for each in of_class]
            for percent in (95, 99):
                objective = told[f"api.{name}.p{percent}"]
                assert math.isclose(objective["value"], nearest_rank(seconds, percent), rel_tol=0.01)
                assert objective["total"] == len(seconds)
        everything = [each for of_class in lines.values() for each in of_class]
        failed = sum(each["status"] >= 500 for each in everything)
        assert told["api.errors"]["bad"] == failed == 15
        assert told["api.errors"]["total"] == len(everything)
        assert math.isclose(told["api.errors"]["value"], failed / len(everything), rel_tol=0.01)
        assert math.isclose(told["api.errors"]["burn_rate"], failed / len(everything) / 0.001, rel_tol=0.01)

    with Ogel("api", "--with", "worker", log=tmp_path / "third.log", **servers) as third:
        run(third.api, "slo.fold")
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT count(*) FROM ogel.slo_deltas").fetchone() == (0,)
        folded = values(third.api.ok("GET", "/api/slo"), "30d")
        for _ in range(2):
            run(third.api, "alerts.check")
        alerts = third.api.ok("GET", "/api/alerts/check")
        raised = {(each["name"], each["subject"]): each for each in alerts["items"] if each["raised"]}
        fast = raised["slo.burn.fast", "api.errors"]
        assert (fast["level"], fast["threshold"]) == ("critical", 14.4)
        assert fast["value"] == folded["api.errors"]["burn_rate"]
        metrics = read_metrics(third.api("GET", "/metrics").raw.decode())
        rates = {(each.labels["objective"], each.labels["window"]): each.value
                 for each in metrics["ogel_cluster_slo_burn_rate"].samples}  # fmt: skip
        assert rates["api.errors", "30d"] == folded["api.errors"]["burn_rate"]
    before = values(report, "30d")
    assert {name: folded[name] for name in before if name.startswith("api.")} == {
        name: told for name, told in before.items() if name.startswith("api.")
    }
    table = ogel("slo", "--window", "1h", **settings)
    assert table.code == 1
    rows, _, summary = table.out.partition("\n\n")
    assert max(map(len, rows.splitlines())) <= 80
    [errors] = [line.split() for line in rows.splitlines() if line.startswith("api.errors")]
    assert errors[:4] == ["api.errors", "<=", "0.1", "%"]
    assert re.match("of 1h: [0-9]+ met, [0-9]+ missed  .*api.errors  .*counted since 20", summary)


def test_a_killed_process_leaves_what_it_flushed(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_USAGE_FLUSH_SECONDS": "1"}
    counted = "SELECT sum(total), sum(bad) FROM ogel.slo_deltas WHERE series = 'http.read'"
    with (
        Ogel("api", log=tmp_path / "api.log", **servers) as api,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        for _ in range(9):
            api.api.ok("GET", "/api/events")
        eventually(lambda: connection.execute(counted).fetchone() == (9, 0), 10, "a flush")
        api.kill()
        api.start()
        with broken(database_url, "teams"):
            assert api.api("GET", "/api/teams").status == 500
        assert api.terminate() == 0
        assert connection.execute(counted).fetchone() == (10, 1)
        up = connection.execute("SELECT bit_count(bit_or(up)) FROM ogel.slo_uptime").fetchone()
        assert up is not None
        assert 1 <= up[0] <= 2


def test_deployments_are_told_by_railway(tmp_path: Path, database_url: str, redis_url: str) -> None:
    world = World()
    project = world.project("shop")
    production, preview = project.environment("production"), project.environment("pr-17")
    api = production.service("api", repo="you/shop")
    now = utc_now()

    def went(status: str, hours_ago: float, minutes: float, commit: str) -> Deployment:
        made = api.deployed(status, at=now - timedelta(hours=hours_ago), commit=commit)
        made.updated_at = made.created_at + timedelta(minutes=minutes)
        return made

    went("REMOVED", 20, 120, "a")
    went("FAILED", 12, 4, "b")
    went("CRASHED", 6, 3, "c")
    working = went("SUCCESS", 5, 7, "d")
    preview.service("api", repo="you/shop").deployed("FAILED", commit="e")
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with RailwayServer(world) as railway:
        stamped = {
            "RAILWAY_DEPLOYMENT_ID": working.id,
            "OGEL_COMMITTED_AT": (working.created_at - timedelta(minutes=23)).isoformat(),
        }
        with Ogel(
            "api", log=tmp_path / "api.log", **servers, **stamped, **railway.variables(production)
        ) as served:
            with psycopg.connect(database_url, autocommit=True) as connection:
                noted = "SELECT deployment FROM ogel.slo_commits"
                eventually(lambda: connection.execute(noted).fetchall() == [(working.id,)], 10, "a note")
            report = served.api.ok("GET", "/api/slo")
            asked = len(railway.asked)
            assert served.api.ok("GET", "/api/slo")
            assert len(railway.asked) == asked  # it is remembered
        day, month = values(report, "24h"), values(report, "30d")
        assert day["deployments.failed"] == month["deployments.failed"]
        assert (day["deployments.failed"]["total"], day["deployments.failed"]["bad"]) == (4, 2)
        assert day["deployments.failed"]["met"] is False
        assert day["deployments.per_day"]["value"] == 2.0
        assert day["deployments.lead_time"]["value"] == pytest.approx(30 * 60)
        # From the first failure, after four minutes, to what works.
        assert day["deployments.recovery"]["value"] == pytest.approx((7 * 60 + 3) * 60)
        assert values(report, "1h")["deployments.per_day"]["value"] is None

        settings = {**servers, **LENIENT, "OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}
        asked_for = railway.variables(production)
        told = ogel("slo", **settings, **asked_for)
        assert (told.code, told.err) == (0, "")  # what is missed is not of the service
        assert "deployments.failed" in told.out
        railway.misbehave(status=429, headers={"Retry-After": "7"}, times=None)
        limited = ogel("slo", **settings, **asked_for)
        assert (limited.code, limited.err) == (0, "")
        [said] = [line for line in limited.out.splitlines() if line.startswith("deployments.per_day, ")]
        assert "deployments.recovery" in said
    untold = ogel("slo", "--strict", **settings)
    assert (untold.code, untold.err) == (0, "")
    assert "neither RAILWAY_TOKEN nor RAILWAY_API_TOKEN is set" in untold.out
