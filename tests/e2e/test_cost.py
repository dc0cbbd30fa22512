"""What a project on Railway costs, as those who pay for it see it: on the command line, over HTTP, as alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ogel.runtime.prices.table import price_table
from tests.support.cli import Finished, ogel_here
from tests.support.markdown import ROOT, blocks
from tests.support.process import Client, Ogel, eventually
from tests.support.railway import Environment, Project, RailwayServer, World

DAYS = 10
# Ten days of 1,440 min, a third of Railway's month:
#   api       memory 0.6 GB * 14,400 min * $10 / 43,200 = 2.00, cpu 0.03 * $20 / 3 = 0.20,
#             egress 240 h * 0.1 GB * $0.05 = 1.20
#   Postgres  memory 0.3 GB = 1.00, volume 3 GB * $0.15 / 3 = 0.15
#   deleted   memory 4,320 GB-min * $10 / 43,200 = 1.00, of services that are gone
#   files     9.3 GB are billed as 10 GB: 10 * $0.015 / 3 = 0.05
BILL = {"api": "3.40", "Postgres": "1.15", "(project)": "1.00", "files (bucket)": "0.05"}
TOTAL = Decimal("5.60")


@dataclass
class Shop:
    railway: RailwayServer
    project: Project
    production: Environment

    def cost(self, *arguments: str, **settings: str) -> Finished:
        return ogel_here("cost", *arguments, **{**self.railway.variables(), **settings})


@pytest.fixture
def shop() -> Iterator[Shop]:
    now = datetime.now(UTC)
    world = World()
    workspace = world.workspace(
        period_start=now - timedelta(days=DAYS),
        period_end=now + timedelta(days=20),
        current_usage=42.5,
        hard_limit=100,
    )
    project = world.project("shop", workspace)
    production = project.environment("production")
    production.service("api", metrics={"MEMORY_USAGE_GB": 0.6, "CPU_USAGE": 0.03, "NETWORK_TX_GB": 0.1})
    production.service("Postgres", metrics={"MEMORY_USAGE_GB": 0.3, "CPU_USAGE": 0.0, "DISK_USAGE_GB": 3.0})
    project.usage["MEMORY_USAGE_GB"] = 4320
    project.bucket("files", size_bytes=9.3 * 1024**3)
    with RailwayServer(world) as railway:
        yield Shop(railway, project, production)


def test_the_bill_by_service_and_resource(shop: Shop) -> None:
    said = told(shop.cost("now", "--json", OGEL_COST_PLAN="hobby"))
    assert said["reading"]["origin"] == "railway usage" and not said["statement"]["is_partial"]
    services = {each["name"]: each["dollars"] for each in said["statement"]["services"]}
    assert services.keys() == BILL.keys()
    for name, dollars in BILL.items():
        assert near(services[name], dollars, 0.01)
    assert sum(map(Decimal, services.values())) == Decimal(said["statement"]["spent"])
    assert sum(map(Decimal, said["statement"]["resources"].values())) == Decimal(said["statement"]["spent"])
    assert near(said["statement"]["spent"], TOTAL, 0.01)
    assert said["statement"]["plan"]["to_pay"] == said["statement"]["spent"], "more than the fee includes"
    assert {each["origin"] for each in said["reading"]["used"]} == {"railway usage", "railway bucket size"}


def test_the_forecast_goes_on_as_the_days_do(shop: Shop) -> None:
    """The deleted service's dollar stays what it is, and the other $4.60 of ten days become $13.80 in thirty."""
    forecast = told(shop.cost("now", "--json"))["statement"]["forecast"]
    assert near(forecast["dollars"], "14.80", 0.01) and near(forecast["error"], "0.00", 0.05)
    assert forecast["days"] >= 28


def test_metrics_stand_in_for_usage(shop: Shop) -> None:
    """What services have cost that are gone is not in metrics; what is, comes to what the usage endpoint says."""
    usage = told(shop.cost("now", "--json"))
    shop.railway.misbehave(error="usage", when="query Usage", times=None)
    metrics = told(shop.cost("now", "--json"))
    assert metrics["reading"]["origin"] == "railway metrics"
    assert any("metrics are taken for usage" in note for note in metrics["reading"]["notes"])
    assert metrics["statement"]["is_partial"]
    gone = Decimal(BILL["(project)"])
    assert near(metrics["statement"]["spent"], Decimal(usage["statement"]["spent"]) - gone, 0.01)


def test_as_people_read_it(shop: Shop) -> None:
    finished = shop.cost(OGEL_COST_BUDGET="20")
    assert (finished.code, finished.err) == (0, "")
    words = finished.out.split()
    assert words[4:12] == ["SERVICE", "MEMORY", "CPU", "EGRESS", "VOLUME", "BUCKET", "SO", "FAR"]
    for line in (
        "budget",
        "figures          railway usage",
        "price table 2026-",
        "8 in 10",
        "offline at $100.00",
    ):
        assert line in finished.out


def test_a_budget_decides_how_watch_exits(shop: Shop) -> None:
    within = shop.cost("watch", "--budget", "50")
    assert within.code == 0 and "within its budget of $50.00" in within.out
    forecast = shop.cost("watch", "--budget", "10")
    assert forecast.code == 1 and "will be over its budget of $10.00; more than 50 %" in forecast.out
    spent = shop.cost("watch", "--json", OGEL_COST_BUDGET="5")
    assert spent.code == 1 and json.loads(spent.out)["statement"]["budget"]["passed"] == [50, 75, 90, 100]
    none = shop.cost("watch")
    assert none.code == 2 and "set OGEL_COST_BUDGET" in none.err


def test_other_prices(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"resources": {"memory": {"dollars": "5"}}}')
    said = told(shop.cost("now", "--json", "--prices", str(tmp_path / "half.json")))
    assert near(said["statement"]["resources"]["memory"], "2.00", 0.01)
    assert said["statement"]["prices"].endswith("with half.json")
    wrong = shop.cost("now", "--prices", str(tmp_path / "none.json"))
    assert wrong.code == 2 and one_line(wrong.err).endswith("none.json: no such file or directory")


def test_a_token_for_one_environment_says_that_it_is(shop: Shop) -> None:
    shop.project.environment("staging").service("api", metrics={"MEMORY_USAGE_GB": 5.0})
    finished = ogel_here("cost", "now", "--json", **shop.railway.variables(shop.production))
    said = told(finished)
    assert said["statement"]["is_partial"]
    assert "other environments, if there are any: RAILWAY_TOKEN is for one" in said["reading"]["missing"]


def no_token(shop: Shop) -> dict[str, str]:
    return {"RAILWAY_API_TOKEN": "", "RAILWAY_PROJECT_ID": shop.project.id}


def bad_token(shop: Shop) -> dict[str, str]:
    return {"RAILWAY_API_TOKEN": "nobodys-token"}


def limited(shop: Shop) -> dict[str, str]:
    shop.railway.misbehave(status=429, headers={"Retry-After": "1800"}, times=None)
    return {}


def limited_half_way(shop: Shop) -> dict[str, str]:
    shop.railway.misbehave(status=429, headers={"Retry-After": "1800"}, when="query Metrics", times=None)
    return {}


def project_without_a_name(shop: Shop) -> dict[str, str]:
    shop.railway.misbehave(null="project.name", when="query Project(", times=None)
    return {}


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (no_token, "neither RAILWAY_TOKEN nor RAILWAY_API_TOKEN is set"),
        (bad_token, "RAILWAY_API_TOKEN"),
        (limited, "1800 s"),
        (limited_half_way, "1800 s"),
        (project_without_a_name, "project.name"),
    ],
)
def test_trouble_is_one_line_and_no_total(
    shop: Shop, trouble: Callable[[Shop], dict[str, str]], message: str
) -> None:
    finished = shop.cost("now", "--project", shop.project.id, **trouble(shop))
    assert (finished.code, finished.out) == (2, "")
    assert message in one_line(finished.err)


def test_what_is_new_in_an_answer_is_passed_over(shop: Shop) -> None:
    def more(answer: dict[str, Any]) -> None:
        for row in answer["data"]["usage"]:
            row["currency"] = "EUR"
        answer["data"]["usage"].append(
            {"measurement": "GPU_USAGE", "value": 12.5, "tags": {"serviceId": None}, "class": "H100"}
        )

    shop.railway.misbehave(edit=more, when="query Usage", times=None)
    said = told(shop.cost("now", "--json"))
    assert near(said["statement"]["spent"], TOTAL, 0.01) and said["statement"]["is_partial"]
    assert said["reading"]["missing"] == ["(project): GPU_USAGE is billed, and has no price in this version"]


def test_null_in_an_answer_is_no_zero(shop: Shop) -> None:
    """Usage without a value is taken from metrics; metrics without them are missing."""
    shop.railway.misbehave(null="usage[].value", when="query Usage", times=None)
    assert told(shop.cost("now", "--json"))["reading"]["origin"] == "railway metrics"

    def forgetful(answer: dict[str, Any]) -> None:
        for series in answer["data"]["metrics"]:
            for sample in series["values"][-60:-30]:
                sample["value"] = None

    shop.railway.misbehave(edit=forgetful, when="query Metrics", times=None)
    finished = shop.cost("now")
    assert finished.code == 0 and "so far at least $" in " ".join(finished.out.split())
    assert "api, memory: Railway has no figures for 30.0 h of it" in finished.out


def test_the_suite_reads_stores_and_warns(
    shop: Shop, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    on_railway = {
        **shop.railway.variables(),
        "RAILWAY_PROJECT_ID": shop.project.id,
        "OGEL_COST_BUDGET": "7",
        "OGEL_COST_PLAN": "pro",
        "OGEL_USAGE_FLUSH_SECONDS": "1",
    }
    with Ogel("api", "--with", "worker", log=tmp_path / "log", **settings, **on_railway) as ogel:
        early = ogel.api("GET", "/api/cost")
        assert early.status == 409 and "ogel schedules run costs.read" in early.json["detail"]
        run(ogel.api, "costs.read")
        asked = len(shop.railway.asked)
        cost = ogel.api.ok("GET", "/api/cost")
        assert near(cost["statement"]["spent"], TOTAL, 0.01)
        assert cost["statement"]["budget"]["passed"] == [50, 75]
        assert cost["statement"]["plan"]["fee"] == "20" and cost["trouble"] is None
        assert len(shop.railway.asked) == asked, "nobody waits for Railway"
        assert ogel.api("GET", "/api/cost", key="nobodys-key").status == 401

        # Without a token here, the command says what the suite has read.
        elsewhere = {
            "OGEL_URL": f"http://127.0.0.1:{ogel.port}",
            "OGEL_KEY": ogel.environment["OGEL_ADMIN_KEY"],
        }
        command = ogel_here("cost", "now", "--json", **elsewhere)
        assert told(command)["statement"] == cost["statement"]
        # Periods that are over stay.
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO ogel.cost_readings SELECT project, period_start - interval '30 days', period_start,"
                " period_start, period_start, NULL, 12.345, 12.345, reading FROM ogel.cost_readings"
            )
        newest = ogel.api.ok("GET", "/api/cost/periods?limit=1")
        before = ogel.api.ok("GET", f"/api/cost/periods?after={newest['next']}")["items"]
        assert newest["items"][0]["spent"] == cost["statement"]["spent"]
        assert [each["spent"] for each in before] == ["12.35"]
        listed = ogel_here("cost", "periods", **elsewhere)
        assert listed.code == 0 and len(listed.out.splitlines()) == 3 and "$12.35" in listed.out
        assert ogel.api("GET", "/api/cost/periods?after=x").status == 400

        # And a plan goes by what its process holds.
        eventually(lambda: is_measured(ogel.api, elsewhere), 15, "the process to tell of its memory")

        raised = alerts(ogel.api)
        assert raised.keys() >= {"cost.spent_50", "cost.spent_75", "cost.forecast"}
        assert not raised.keys() & {"cost.spent_90", "cost.spent_100", "cost.unread"}
        events = ogel.api.ok("GET", "/api/events?type=platform.alert.raised")["items"]
        assert {"cost.spent_50", "cost.spent_75", "cost.forecast"} <= {each["subject"] for each in events}

        # A budget is watched by what was read last; who reads, is told that it is old.
        shop.railway.misbehave(status=429, headers={"Retry-After": "1800"}, times=None)
        run(ogel.api, "costs.read")
        later = ogel.api.ok("GET", "/api/cost")
        assert later["statement"] == cost["statement"] and "1800 s" in later["trouble"]["message"]
        assert "not since" in ogel_here("cost", **elsewhere).out
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE ogel.cost_readings SET read_at = read_at - interval '7 hours'")
        assert "cost.unread" in alerts(ogel.api)


PAGE = ROOT / "docs" / "cost.md"
PLANS = [each for block in blocks(PAGE) for each in block.conversation if "cost plan" in each[0]]


@pytest.mark.parametrize(("typed", "shown"), PLANS)
def test_tables_of_the_page_are_to_the_cent(typed: str, shown: str) -> None:
    finished = ogel_here(*typed.removeprefix("ogel ").removesuffix(" | cat").split())
    assert finished.out.strip().endswith(shown.removeprefix("…\n"))


def test_the_page_shows_the_prices_of_the_table() -> None:
    shown = dict(re.findall(r"^\| ([a-zA-Z, ]+) \| \$([0-9.]+) a ", PAGE.read_text(), re.MULTILINE))
    prices = {
        "volume, backups" if name == "volume" else name: price.dollars
        for name, price in price_table().resources.items()
    }
    assert {name.lower(): Decimal(dollars) for name, dollars in shown.items()} == {
        name: dollars for name, dollars in prices.items() if name != "backups"
    }


def is_measured(api: Client, elsewhere: dict[str, str]) -> bool:
    run(api, "stats.resources")
    plan = told(ogel_here("cost", "plan", "--json", **elsewhere))
    [one, *_] = plan["layouts"]
    return bool(plan["measured"].startswith("yes: layout one") and one["source"] == "own measurements")


def alerts(api: Client) -> dict[str, Any]:
    """Those that two checks in a row have raised."""
    for _ in range(2):
        run(api, "alerts.check")
    return {each["name"]: each for each in api.ok("GET", "/api/alerts/check")["items"] if each["raised"]}


def run(api: Client, schedule: str) -> None:
    """Returns when its job has left the queue."""
    id = api.ok("POST", f"/api/schedules/{schedule}/run")["job"]
    eventually(lambda: api("GET", f"/api/jobs/{id}").status == 404, 15, f"{schedule} to be over")


def told(finished: Finished) -> dict[str, Any]:
    assert (finished.code, finished.err) == (0, "")
    said: dict[str, Any] = json.loads(finished.out)
    return said


def near(found: str, expected: str | Decimal, part: float) -> bool:
    """A cent is as near as cents can be."""
    return abs(Decimal(found) - Decimal(expected)) <= max(
        Decimal(expected) * Decimal(str(part)), Decimal("0.01")
    )


def one_line(text: str) -> str:
    assert text.count("\n") == 1 and "Traceback" not in text, text
    return text.strip()
