"""railway/railway.py, evaluated in a process of its own as the Railway CLI does it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ogel.environ import OF_RAILWAY_PY

ROOT = Path(__file__).parents[2]
LAYOUTS = ("one", "worker", "queues")
SECRETS = {"OGEL_ADMIN_KEY", "OGEL_SECRET"}

# What the CLI does with a Python file: import it from its path, call what it finds, print one JSON document.
EVALUATE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("evaluated", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps({"partial": module.PARTIAL, "project": module.main()}))
"""

# The keys Railway's configuration takes; one it does not know would be dropped without a word.
# fmt: off
NODE_KEYS = {
    "address", "type", "kind", "name", "source", "build", "deploy", "variables", "networking",
    "volumeAttachments", "groupId", "tracing",
}
SOURCE_KEYS = {
    "type", "repo", "branch", "image", "rootDirectory", "commitSha", "checkSuites", "autoUpdates",
    "upstreamUrl",
}
BUILD_KEYS = {
    "builder", "buildCommand", "buildEnvironment", "dockerfilePath", "watchPatterns", "railpackVersion",
}
DEPLOY_KEYS = {
    "startCommand", "preDeployCommand", "healthcheckPath", "healthcheckTimeout", "numReplicas",
    "multiRegionConfig", "cronSchedule", "restartPolicyType", "restartPolicyMaxRetries", "sleepApplication",
    "overlapSeconds", "drainingSeconds", "requiredMountPath", "ipv6EgressEnabled", "registryCredentials",
    "limitOverride",
}
# fmt: on
VARIABLE_TYPES = {"literal", "reference", "sharedReference", "preserve", "raw"}


def evaluate(**environment: str) -> subprocess.CompletedProcess[str]:
    """In isolated mode and with an empty environment, so that nothing but the file itself can help it."""
    return subprocess.run(
        [sys.executable, "-I", "-B", "-c", EVALUATE, str(ROOT / "railway" / "railway.py")],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_it_reads_is_known_to_be_its_own() -> None:
    """Else every process of Ogel would warn of variables that nothing reads."""
    text = (ROOT / "railway" / "railway.py").read_text()
    assert set(re.findall(r"\bOGEL_RAILWAY_[A-Z]+\b", text)) == OF_RAILWAY_PY


def services(layout: str, **environment: str) -> dict[str, dict[str, Any]]:
    result = evaluate(OGEL_RAILWAY_LAYOUT=layout, **environment)
    assert result.returncode == 0, result.stderr
    resources = json.loads(result.stdout)["project"]["resources"]
    found = {resource["name"]: resource for resource in resources}
    assert len(found) == len(resources), "a name stands twice"
    return found


def test_it_is_a_named_partial() -> None:
    """An unnamed file would own the whole environment, and delete the databases it does not declare."""
    assert re.fullmatch(r"[a-zA-Z0-9._-]{1,64}", json.loads(evaluate().stdout)["partial"])


def test_one_service_is_the_default_layout() -> None:
    resources = json.loads(evaluate().stdout)["project"]["resources"]
    assert [resource["name"] for resource in resources] == ["api"]


def test_an_unknown_layout_is_refused_by_name() -> None:
    result = evaluate(OGEL_RAILWAY_LAYOUT="many")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == "OGEL_RAILWAY_LAYOUT is 'many'; it takes one of: one, worker, queues.\n"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_railway_knows_every_key(layout: str) -> None:
    for name, service in services(layout, OGEL_RAILWAY_REPO="someone/ogel").items():
        assert service["address"] == f"service.{name}"
        assert service["type"] == "service"
        assert set(service) <= NODE_KEYS
        assert set(service["source"]) <= SOURCE_KEYS
        assert set(service["build"]) <= BUILD_KEYS
        assert set(service["deploy"]) <= DEPLOY_KEYS
        assert {variable["type"] for variable in service["variables"].values()} <= VARIABLE_TYPES


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


def test_two_sources_at_once_are_refused() -> None:
    result = evaluate(OGEL_RAILWAY_IMAGE="ghcr.io/someone/ogel:1", OGEL_RAILWAY_REPO="someone/ogel")
    assert result.returncode == 1
    assert result.stdout == ""
