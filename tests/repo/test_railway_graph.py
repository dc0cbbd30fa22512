"""railway/railway.py, evaluated in a process of its own as the Railway CLI does it."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ogel.cli.railway.evaluating import evaluate as evaluate_file
from ogel.environ import OF_RAILWAY_PY, read_settings
from ogel.features.gateway.settings import GatewaySettings
from ogel.features.releases.configuration.graph import Graph, problems
from ogel.kernel.errors import ConfigError

ROOT = Path(__file__).parents[2]
LAYOUTS = ("one", "worker", "queues")
SECRETS = {"OGEL_ADMIN_KEY", "OGEL_SECRET"}


@cache
def evaluate(**environment: str) -> Graph:
    """With an empty environment, so that nothing but the file itself can help it."""
    return evaluate_file(ROOT / "railway" / "railway.py", {"PATH": os.defpath, **environment})


def refused(**environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        evaluate(**environment)
    return caught.value.message.partition(": ")[2]


def test_what_it_reads_is_known_to_be_its_own() -> None:
    """Else every process of Ogel would warn of variables that nothing reads."""
    text = (ROOT / "railway" / "railway.py").read_text()
    assert set(re.findall(r"\bOGEL_RAILWAY_[A-Z]+\b", text)) == OF_RAILWAY_PY


def services(layout: str, **environment: str) -> dict[str, dict[str, Any]]:
    resources = evaluate(OGEL_RAILWAY_LAYOUT=layout, **environment).resources
    return {each["name"]: dict(each) for each in resources if each["type"] == "service"}


def test_it_is_a_named_partial() -> None:
    """An unnamed file would own the whole environment, and delete the databases it does not declare."""
    assert evaluate().partial == "ogel"


def test_one_service_is_the_default_layout() -> None:
    assert [each["name"] for each in evaluate().resources] == ["api"]


def test_what_it_cannot_take_is_refused_by_name() -> None:
    assert refused(OGEL_RAILWAY_LAYOUT="many") == (
        "OGEL_RAILWAY_LAYOUT is 'many'; it takes one of: one, worker, queues."
    )
    assert "OGEL_RAILWAY_REGION is 'europe'" in refused(
        OGEL_RAILWAY_BUCKET="files", OGEL_RAILWAY_REGION="europe"
    )
    assert "OGEL_RAILWAY_KEEP has 'kong=Kong'" in refused(OGEL_RAILWAY_KEEP="kong=Kong")
    both = refused(OGEL_RAILWAY_IMAGE="ghcr.io/someone/ogel:1", OGEL_RAILWAY_REPO="someone/ogel")
    assert both == "Set OGEL_RAILWAY_IMAGE or OGEL_RAILWAY_REPO, not both."


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "settings",
    [
        {"OGEL_RAILWAY_REPO": "someone/ogel"},
        {"OGEL_RAILWAY_IMAGE": "ghcr.io/someone/ogel:1", "OGEL_RAILWAY_BUCKET": "files"},
        {"OGEL_RAILWAY_AUTH": "GoTrue", "OGEL_RAILWAY_KEEP": "rest=PostgREST,studio=Supabase Studio"},
    ],
    ids=["repository", "image and bucket", "beside Supabase's services"],
)
def test_railway_takes_all_of_it(layout: str, settings: dict[str, str]) -> None:
    assert [*problems(evaluate(OGEL_RAILWAY_LAYOUT=layout, **settings))] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_start_command_is_an_entrypoint_run_without_a_shell(layout: str) -> None:
    """Without a shell nothing is expanded, and the process itself hears SIGTERM."""
    for name, service in services(layout).items():
        program, *arguments = service["deploy"]["startCommand"].split()
        assert program == f"/app/entrypoints/{name}"
        assert (ROOT / "entrypoints" / name).is_file()
        assert arguments == (["--with", "worker,scheduler,realtime"] if layout == "one" else [])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_process_may_finish_what_it_holds(layout: str) -> None:
    for service in services(layout).values():
        drain_seconds = int(service["variables"]["OGEL_DRAIN_SECONDS"]["value"])
        assert service["deploy"]["drainingSeconds"] >= drain_seconds + 1
        assert service["deploy"]["healthcheckPath"] == "/health/ready"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_migrations_run_before_one_service_only(layout: str) -> None:
    steps = {name: service["deploy"].get("preDeployCommand") for name, service in services(layout).items()}
    assert steps.pop("api") == ["/app/entrypoints/migrate"]
    assert not any(steps.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_secret_is_written_down(layout: str) -> None:
    for service in services(layout).values():
        variables = service["variables"]
        for name in SECRETS:
            assert variables[name] == {"type": "sharedReference", "name": name}
        assert variables["DATABASE_URL"] == {"type": "literal", "value": "${{Postgres.DATABASE_URL}}"}
        assert variables["REDIS_URL"] == {"type": "literal", "value": "${{Redis.REDIS_URL}}"}
        assert variables["PORT"] == {"type": "literal", "value": "8080"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_domains_are_left_to_the_command_line(layout: str) -> None:
    """Railway refuses a configuration that registers one."""
    for service in services(layout).values():
        assert "networking" not in service


def test_the_image_may_be_built_elsewhere() -> None:
    for service in services("queues", OGEL_RAILWAY_IMAGE="ghcr.io/someone/ogel:1").values():
        assert service["source"] == {"type": "image", "image": "ghcr.io/someone/ogel:1"}
        assert "build" not in service


def test_a_bucket_gives_every_service_what_it_says_of_itself() -> None:
    graph = evaluate(OGEL_RAILWAY_LAYOUT="worker", OGEL_RAILWAY_BUCKET="files")
    bucket = graph.by_address["bucket.files"]
    assert bucket["config"] == {"region": "iad"}
    rendered = {"BUCKET": "b", "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "REGION": "auto",
                "ENDPOINT": "https://storage.railway.app"}  # fmt: skip
    for service in services("worker", OGEL_RAILWAY_BUCKET="files").values():
        variables = service["variables"]
        assert variables["STORAGE_BACKEND"] == {"type": "literal", "value": "railway"}
        arrive = {
            name: rendered[value["output"]]
            for name, value in variables.items()
            if value.get("resource") == "bucket.files"
        }
        found = read_settings({"STORAGE_BACKEND": "railway", **arrive}).settings
        assert (found.s3_bucket, found.s3_access_key, found.s3_secret_key) == ("b", "k", "s")


def test_beside_supabases_services_paths_lead_to_those_that_stay() -> None:
    [api] = services(
        "one", OGEL_RAILWAY_AUTH="Auth", OGEL_RAILWAY_KEEP="rest=PostgREST, studio=Studio"
    ).values()
    secret = api["variables"]["OGEL_AUTH_LEGACY_JWT_SECRET"]
    assert secret == {"type": "literal", "value": "${{Auth.GOTRUE_JWT_SECRET}}"}
    written = api["variables"]["OGEL_UPSTREAMS"]["value"]
    arrives = re.sub(r"\$\{\{(\w+)\.RAILWAY_PRIVATE_DOMAIN\}\}", r"\1.railway.internal", written).lower()
    upstreams = read_settings({"OGEL_UPSTREAMS": arrives}).settings.of(GatewaySettings).upstreams
    assert [(each.path, each.auth) for each in upstreams] == [("/rest/v1", "open"), ("/studio", "admin")]


def test_databases_of_other_names_are_referred_to_by_them() -> None:
    [api] = services("one", OGEL_RAILWAY_POSTGRES="Supabase Postgres", OGEL_RAILWAY_REDIS="Cache").values()
    assert api["variables"]["DATABASE_URL"]["value"] == "${{Supabase Postgres.DATABASE_URL}}"
    assert api["variables"]["REDIS_URL"]["value"] == "${{Cache.REDIS_URL}}"
