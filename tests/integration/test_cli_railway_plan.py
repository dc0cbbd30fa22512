"""`ogel railway plan`, against a stand-in of Railway: what the file of this repository would change there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ogel.cli.railway import evaluating
from tests.support.cli import Finished, ogel_here
from tests.support.railway import Environment, RailwayServer, World

FILE = Path(__file__).parents[2] / "railway" / "railway.py"
SMALL = """
PARTIAL = "ogel"
SHARED = ("OGEL_SECRET",)
def main():
    literal = lambda value: {"type": "literal", "value": value}
    return {"name": "ogel", "resources": [{
        "address": "service.api", "type": "service", "name": "api",
        "source": {"type": "image", "image": "ogel:2"},
        "deploy": {"startCommand": "/app/entrypoints/api"},
        "variables": {
            "PORT": literal("8080"),
            "DATABASE_URL": literal("${{Postgres.DATABASE_URL}}"),
            "OGEL_SECRET": {"type": "sharedReference", "name": "OGEL_SECRET"},
        },
    }]}
"""


@pytest.fixture
def environment() -> Environment:
    made = World().project("shop").environment("production")
    made.service("Postgres", image="postgres-ssl:18")
    return made


@pytest.fixture
def railway(environment: Environment) -> Iterator[RailwayServer]:
    with RailwayServer(environment.project.world) as started:
        yield started


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "railway.py"
    file.write_text(SMALL)
    return file


def plan(
    railway: RailwayServer, environment: Environment, file: Path, *more: str, **settings: str
) -> Finished:
    given = {**railway.variables(environment), **settings}
    return ogel_here("railway", "plan", "--file", str(file), *more, **given)


def test_a_first_apply_makes_what_there_is_not(railway: RailwayServer, environment: Environment) -> None:
    settings = {
        "OGEL_RAILWAY_LAYOUT": "worker",
        "OGEL_RAILWAY_IMAGE": "ogel:1",
        "OGEL_RAILWAY_BUCKET": "files",
    }
    finished = plan(railway, environment, FILE, **settings)
    assert (finished.code, finished.err) == (2, "")
    lines = finished.out.splitlines()
    assert [line.split(" is made")[0] for line in lines] == [
        "+ service api", "+ service worker", "+ service scheduler", "+ service realtime", "+ bucket files",
    ]  # fmt: skip
    assert lines[0].startswith("+ service api is made of ogel:1, starting /app/entrypoints/api, with ")
    assert lines[-1] == "+ bucket files is made in iad"
    told = json.loads(plan(railway, environment, FILE, "--json", **settings).out)
    assert "OGEL_SECRET" in told["changes"][0]["after"]["variables"]
    assert "value" not in json.dumps(told)


def test_what_is_there_is_compared_and_no_value_is_told(
    railway: RailwayServer, environment: Environment, small: Path
) -> None:
    api = environment.service(
        "api",
        image="ogel:1",
        start_command="/app/entrypoints/api",
        variables={
            "PORT": "hunter2",
            "DATABASE_URL": "${{Postgres.DATABASE_URL}}",
            "OLD": "hunter2",
            "LICENSE": "hunter2",
        },
        sealed={"LICENSE"},
    )
    finished = plan(railway, environment, small)
    assert finished.out.splitlines() == [
        "+ api: variable OGEL_SECRET is set",
        "~ api: variable PORT gets another value",
        "- api: variables LICENSE, OLD are deleted",
        "~ api: source.image is ogel:2, and was ogel:1",
        "2 of 5 delete something: `apply` wants --confirm-destructive",
    ]
    assert finished.code == 2
    told = plan(railway, environment, small, "--json").out
    assert "hunter2" not in told + finished.out
    kinds = [(each["kind"], each["path"], each["destructive"]) for each in json.loads(told)["changes"]]
    assert ("delete", "variables.OLD", True) in kinds
    api.image = "ogel:2"
    api.sealed = set()
    api.variables = {
        "PORT": "8080",
        "DATABASE_URL": "${{Postgres.DATABASE_URL}}",
        "OGEL_SECRET": "${{shared.OGEL_SECRET}}",
    }
    done = plan(railway, environment, small)
    assert (done.code, done.out, done.err) == (0, "nothing to do\n", "")


def test_what_the_file_made_before_and_has_no_more_is_deleted(
    railway: RailwayServer, environment: Environment, small: Path
) -> None:
    for name in ("worker", "shop"):
        environment.service(name, start_command=f"/app/entrypoints/{name}")
    environment.made_by = {"service.worker": "ogel", "service.shop": "shop"}
    finished = plan(railway, environment, small)
    assert "- service worker is deleted, with all that it has" in finished.out
    assert "shop" not in finished.out + finished.err
    railway.misbehave(when="iacPartials", error="environment", message='Cannot query field "iacPartials"')
    finished = plan(railway, environment, small)
    assert "is deleted" not in finished.out
    assert "warning: service.worker is not in the file; whether the file made it" in finished.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit('no layout')", "no layout"),
        ("def main(): return {", "SyntaxError"),
        ("def main(): return 5", "it returns no project with `resources`"),
        ("print('hello')\ndef main(): return {'resources': []}", "it may print nothing"),
        ("x = 1", "it returns no project"),
        ("import os; os.write(1, b'\\xff')\ndef main(): return {'resources': []}", "it may print nothing"),
        ("import os; os.write(2, b'wrong: \\xff'); os._exit(3)", "wrong: \ufffd"),
        ("while True: pass", "could not be evaluated within 0.3 s"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(
    railway: RailwayServer,
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    said: str,
) -> None:
    if text.startswith("while"):
        monkeypatch.setattr(evaluating, "SECONDS", 0.3)
    file = tmp_path / "railway.py"
    file.write_text(text)
    finished = plan(railway, environment, file)
    assert finished.code == 1
    assert said in finished.err and len(finished.err.splitlines()) == 1, finished.err
    assert plan(railway, environment, tmp_path / "none.py").code == 1
    assert "is no Python file" in plan(railway, environment, tmp_path / "railway.ts").err


def test_what_railway_would_refuse_or_drop_is_an_error(
    railway: RailwayServer, environment: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "railway.py"
    file.write_text(
        "PARTIAL = 'ogel'\n"
        "def main(): return {'resources': [{'type': 'service', 'name': 'api', 'deploy': {'autoscaling': True},"
        " 'networking': {'customDomains': {'ogel.example.com': {}}}}]}"
    )
    finished = plan(railway, environment, file)
    assert finished.code == 1
    assert "error: service.api Railway knows no `deploy.autoscaling`" in finished.err
    assert "registers no domains" in finished.err


@pytest.mark.parametrize(
    "wrong",
    [
        {"variables": 5},
        {"source": "ogel:2"},
        {"source": {"image": 5}},
        {"deploy": {"multiRegionConfig": 5}},
        {"type": ["service"]},
        {"type": "bucket", "config": {"region": ["iad"]}},
    ],
)
def test_a_field_of_another_type_is_named(
    railway: RailwayServer, environment: Environment, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    environment.service("api", image="ogel:1", variables={"PORT": "1"})
    file = tmp_path / "railway.py"
    file.write_text(f"PARTIAL = 'ogel'\ndef main(): return {{'resources': [{ {'name': 'api', **wrong} }]}}")
    finished = plan(railway, environment, file)
    assert finished.code == 1 and len(finished.err.splitlines()) == 1
    assert "api: Expected" in finished.err and f"$.{next(reversed(wrong))}" in finished.err


@pytest.mark.parametrize("value", [5, None, {"type": ["literal"]}])
def test_a_variable_of_another_type_is_named(
    railway: RailwayServer, environment: Environment, tmp_path: Path, value: object
) -> None:
    environment.service("api", image="ogel:1", variables={"PORT": "1"})
    file = tmp_path / "railway.py"
    resource = {"name": "api", "variables": {"PORT": value}}
    file.write_text(f"PARTIAL = 'ogel'\ndef main(): return {{'resources': [{resource}]}}")
    finished = plan(railway, environment, file)
    assert finished.code == 1
    assert finished.err == "error: service.api variable PORT has no type that Railway knows\n"


def test_what_railway_tells_in_another_shape_ends_in_no_traceback(
    railway: RailwayServer, environment: Environment, small: Path
) -> None:
    api = environment.service("api", image="ogel:1", variables={"PORT": "1"})
    for told in (
        {"source": "ogel:1"},
        {"source": {"image": 5}},
        {"deploy": {"multiRegionConfig": 5}},
        {"configFile": 5},
    ):

        def edit(answer: dict[str, Any], told: dict[str, Any] = told) -> None:
            answer["data"]["environment"]["config"]["services"][api.service_id] |= told

        railway.behave()
        railway.misbehave(when="query EnvironmentConfig", edit=edit, times=None)
        finished = plan(railway, environment, small)
        assert (finished.code, finished.err) == (2, ""), told
    railway.behave()
    railway.misbehave(
        when="query EnvironmentConfig",
        edit=lambda answer: answer["data"]["environment"]["config"].update(services=5),
        times=None,
    )
    assert plan(railway, environment, small).code == 2


def test_without_a_token_it_is_said_in_one_line(small: Path) -> None:
    finished: Any = ogel_here("railway", "plan", "--file", str(small))
    assert (finished.code, finished.err) == (1, "ogel: neither RAILWAY_TOKEN nor RAILWAY_API_TOKEN is set\n")
