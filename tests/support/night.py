"""A night on which something is wrong: a suite, and somebody at a terminal who follows a runbook."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ogel.adapters.embedded.binaries import find_postgres
from tests.support import railway_cli
from tests.support.cli import without_settings
from tests.support.forking import on_path
from tests.support.markdown import ROOT
from tests.support.process import ADMIN_KEY, Client, Ogel, eventually
from tests.support.reading import Reading
from tests.support.terminal import Terminal

# For the few commands that pages give Redis: no wheel brings its own client.
_REDIS_CLI = """\
import sys, redis
_, u, url, *words = sys.argv
answer = redis.Redis.from_url(url, decode_responses=True).execute_command(*words)
if isinstance(answer, dict):
    answer = "\\n".join(f"{name}:{value}" for name, value in answer.items())
print({True: "PONG" if words == ["PING"] else "OK"}.get(answer, answer))
"""
# What the machine that runs tests has, or how fast it is, wakes nobody.
QUIET = {
    "OGEL_ALERT_DISK_FREE": "0",
    "OGEL_ALERT_CACHE_HITS": "0",
    "OGEL_ALERT_CONNECTIONS": "1",
    "OGEL_SLO_API_P95_MS": "600000",
    "OGEL_SLO_API_P99_MS": "600000",
    "OGEL_SLO_DATABASE_P95_MS": "600000",
    "OGEL_SLO_QUEUE_P95_SECONDS": "86400",
    "OGEL_SLO_ERRORS": "0.5",
    "OGEL_SLO_UPTIME": "0.5",
    "OGEL_SLO_DELIVERED": "0.5",
}
# The last look of a page, and how both looks end.
MENDED = "ogel alerts  # nothing"
ENDS = {"ogel alerts": 1, MENDED: 0}
RUNBOOKS = ROOT / "docs" / "runbooks"


def deploy(at: Path, environment: Mapping[str, str]) -> None:
    """From now on these are the variables of the container that `railway ssh` leads to."""
    tools = at / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "inside").write_text(json.dumps(dict(environment)))


def follow(page: str, reading: Reading, at: Path, ogel: Ogel) -> list[str]:
    """Types every command of the page; returns what the `railway` of the page was told, line by line."""
    tools = at / "tools"
    if not (tools / "inside").exists():
        deploy(at, ogel.environment)
    client = tools / "redis-cli"
    client.write_text(f"#!{sys.executable}\n{_REDIS_CLI}")
    client.chmod(0o755)
    programs = find_postgres(None)  # psql, pg_dump
    places = [tools, on_path(), Path(sys.executable).parent, programs, os.environ["PATH"]]
    path = os.pathsep.join(map(str, places))
    variables = {**ogel.environment, **railway_cli.install(tools, ogel.log), **reading.environment}
    reading.instead = {"localhost:8080": f"localhost:{ogel.port}", **reading.instead}
    with Terminal(
        at, {**without_settings(os.environ), **variables, "PATH": path, "KEY": ADMIN_KEY, "PAGER": "cat"}
    ) as terminal:
        reading.follow(RUNBOOKS / page, terminal)
    said = tools / "said"
    return said.read_text().splitlines() if said.exists() else []


def restart(ogel: Ogel, at: Path, **changed: str) -> None:
    """With other settings, inside of the container, too; one that does not run is started."""
    if ogel.process is not None:
        ogel.terminate()
    ogel.environment |= changed
    deploy(at, ogel.environment)
    ogel.start()


def check_alerts(api: Client) -> None:
    """As two checks in a row, a minute apart, would find it."""
    for _ in range(2):
        job = api.ok("POST", "/api/schedules/alerts.check/run")["job"]
        eventually(
            lambda job=job: api("GET", f"/api/jobs/{job}").status == 404, 60, "the alerts to be checked"
        )


def raised(api: Client) -> dict[str, str]:
    """The runbooks of the alerts that are raised, by name."""
    items = api.ok("GET", "/api/alerts/check")["items"]
    return {each["name"]: each["runbook"] for each in items if each["raised"]}
