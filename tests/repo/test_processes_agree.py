"""entrypoints/ is the list of processes; the queues, compose, Prometheus and Railway agree with it."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ogel.platform.platform import queue_names

ROOT = Path(__file__).parents[2]
ENTRYPOINTS = {path.name: path for path in (ROOT / "entrypoints").iterdir()}

# The whole suite in one process, and all queues in one: each stands in for services that compose runs apart.
COMBINED = {"up", "worker"}


def services() -> dict[str, Any]:
    """The compose services that run Ogel, as opposed to what it stands on."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {name: service for name, service in compose["services"].items() if "build" in service}


def railway_layouts() -> dict[str, tuple[str, ...]]:
    return dict(runpy.run_path(str(ROOT / "railway" / "railway.py"))["LAYOUTS"])


def words_of(name: str) -> list[str]:
    """What the entrypoint passes to `ogel`, as the shell would split it."""
    if name == "worker":
        return ["worker", "--all"]
    return ["worker", name.removeprefix("worker-")] if name.startswith("worker-") else [name]


def test_every_queue_has_a_worker_and_every_worker_a_queue() -> None:
    workers = {name for name in ENTRYPOINTS if name.startswith("worker-")}
    assert workers == {f"worker-{queue}" for queue in queue_names()}


@pytest.mark.parametrize("name", sorted(ENTRYPOINTS))
def test_an_entrypoint_is_an_executable_of_two_lines(name: str) -> None:
    arguments = '"${WORKER_QUEUES:---all}"' if name == "worker" else " ".join(words_of(name)[1:])
    command = " ".join(filter(None, ["exec ogel", words_of(name)[0], arguments, '"$@"']))
    assert ENTRYPOINTS[name].read_text() == f"#!/bin/sh\n{command}\n"
    assert os.access(ENTRYPOINTS[name], os.X_OK)


@pytest.mark.parametrize("command", sorted({words_of(name)[0] for name in ENTRYPOINTS}))
def test_the_cli_knows_the_command(command: str) -> None:
    asked = [sys.executable, "-m", "ogel", command, "--help"]
    result = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_compose_runs_one_service_per_entrypoint() -> None:
    assert set(services()) == set(ENTRYPOINTS) - COMBINED
    for name, service in services().items():
        assert service["entrypoint"] == [f"/app/entrypoints/{name}"]
        assert "command" not in service


def test_prometheus_scrapes_every_process_that_serves() -> None:
    config = yaml.safe_load((ROOT / "docker" / "prometheus" / "prometheus.yml").read_text())
    targets = [
        (name, found["port"])
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    ]
    port = re.search(r"\bPORT=(\d+)", (ROOT / "Dockerfile").read_text())
    assert port is not None
    assert sorted(targets) == sorted((name, int(port[1])) for name in services() if name != "migrate")


def test_railway_deploys_the_same_processes() -> None:
    """`migrate` is no service there but the step before a deploy of `api`."""
    layouts = railway_layouts()
    assert set(layouts["queues"]) == set(ENTRYPOINTS) - COMBINED - {"migrate"}
    assert set(layouts["worker"]) == {"api", "worker", "scheduler", "realtime"}
    assert layouts["one"] == ("api",)
