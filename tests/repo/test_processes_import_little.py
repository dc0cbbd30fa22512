"""Memory is the bill: a process imports what its roles need, and neither other features nor their libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

# As `ogel` does before there is an event loop; what is imported until then is all that an idle process has.
BUILD = """
import dataclasses, json, sys
import ogel.cli.process
from ogel.platform.platform import Platform
from ogel.settings import NOWHERE
from ogel.serving import Process, Roles
settings = dataclasses.replace(NOWHERE, schedules=tuple(json.loads(sys.argv[2]).items()))
Process(Platform(settings), Roles(**json.loads(sys.argv[1])))
ours = [module for name, module in sys.modules.items() if name.startswith("ogel.")]
values = {each for module in ours for each in vars(module).values() if isinstance(each, type)}
dataclasses_of_ours = [
    f"{each.__module__}.{each.__name__}"
    for each in values
    if each.__module__.startswith("ogel.") and dataclasses.is_dataclass(each)
]
print(json.dumps([sorted(sys.modules), sorted(dataclasses_of_ours)]))
"""
# A client that listens, and one that is refused.
REALTIME = """
import asyncio, json, sys
from tests.support.door import wire
from tests.support.frames import close, handshake, websocket
from tests.support.sessions import taking_door

async def main():
    async with taking_door() as taking:
        async with websocket(taking.port) as client:
            client.wire.write(close())
            assert await client.wire.end()
        async with wire(taking.port) as client:
            client.write(handshake().replace(b"Version: 13", b"Version: 8"))
            assert await client.end()

asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""
# Only for what the settings, a request or a job turn out to need.
NEVER_AT_START = {
    "aiohttp", "aiosmtplib", "cryptography.x509", "hypercorn", "idna", "jinja2", "jwt", "minio", "pymongo",
    "sentry_sdk", "wcwidth", "wsproto", "yaml",
    "ogel.adapters.embedded", "ogel.adapters.mail", "ogel.adapters.messaging", "ogel.adapters.mongo",
    "ogel.adapters.railway", "ogel.adapters.rq_horses", "ogel.adapters.sentry", "ogel.adapters.storage.s3",
    "ogel.features.gateway.upstreams.mounts", "ogel.features.gateway.upstreams.requests",
    "ogel.features.costs.metering", "ogel.features.observability.slo.deployments", "statistics",
    "ogel.adapters.databases.mongodb", "ogel.adapters.databases.postgresql", "ogel.adapters.databases.redis",
}  # fmt: skip
CLOCK = {"croniter", "cronsim", "rq_scheduler", "ogel.adapters.rq_clock", "ogel.features.schedules"}
OTHERS = {
    "ogel.adapters.databases", "ogel.features.backups", "ogel.features.cleanup", "ogel.features.databases.migrations",
    "ogel.features.events", "ogel.features.messaging", "ogel.features.observability.feature",
}  # fmt: skip


# A dataclass costs a start about a millisecond, a msgspec struct a tenth of it. What these have, structs have not:
# fields with metadata, or that stay out of the repr or the hash, or are set later.
DATACLASSES = {
    "ogel.adapters.egress.proxy.ProxyAddress", "ogel.adapters.egress.resolver._LookUp",
    "ogel.features.webhooks.secrets.secret.Secret", "ogel.kernel.principal.Principal", "ogel.knobs.Knob",
    "ogel.knobs.Takes", "ogel.runtime.core.Core", "ogel.runtime.core.ThisProcess",
    "ogel.runtime.server_urls.parts.ServerUrl", "ogel.settings.Settings",
}  # fmt: skip


def imported(schedules: Mapping[str, str] = {}, **roles: object) -> set[str]:
    modules, _ = built(schedules, **roles)
    return set(modules)


def built(schedules: Mapping[str, str] = {}, **roles: object) -> tuple[list[str], list[str]]:
    """The modules of such a process, and the dataclasses of ours among them."""
    command = [sys.executable, "-c", BUILD, json.dumps(roles), json.dumps(schedules)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    modules, dataclasses = json.loads(result.stdout)
    return modules, dataclasses


def among(modules: Collection[str], names: Collection[str]) -> list[str]:
    """Those modules that are called so, or stand in packages that are."""
    return sorted(m for m in modules if any(m == name or m.startswith(f"{name}.") for name in names))


def routes(modules: Collection[str]) -> list[str]:
    return sorted(m for m in modules if m.startswith("ogel.features.") and m.endswith(".routes"))


@pytest.mark.parametrize("schedules", [{}, {"backups.create": "on", "cleanup.*": "30 4 * * *"}])
@pytest.mark.parametrize(
    ("queue", "needed", "not_needed"),
    [
        ("webhooks", "ogel.features.webhooks.sending.jobs", {*OTHERS, "ogel.features.mail"}),
        ("mail", "ogel.features.mail.jobs", OTHERS),
    ],
)
def test_a_worker_imports_what_its_queue_needs(
    queue: str, needed: str, not_needed: set[str], schedules: Mapping[str, str]
) -> None:
    """OGEL_SCHEDULES, too: all processes have it, and it concerns those that have schedules."""
    modules = imported(schedules, queues=[queue])
    assert needed in modules
    assert among(modules, NEVER_AT_START | CLOCK | not_needed) == []
    assert routes(modules) == []


def test_a_scheduler_imports_no_routes() -> None:
    modules = imported(scheduler=True)
    assert "ogel.adapters.rq_clock" in modules
    assert among(modules, NEVER_AT_START) == []
    assert routes(modules) == []


def test_an_api_imports_every_route_and_no_library_that_few_requests_need() -> None:
    modules = imported(api=True)
    assert {"ogel.features.mail.routes", "ogel.features.webhooks.endpoints.routes"} <= set(routes(modules))
    assert among(modules, NEVER_AT_START | {"rq_scheduler", "ogel.adapters.rq_clock"}) == []


def test_realtime_never_imports_what_other_websockets_need() -> None:
    """3.4 MB, and 0.1 s in which nobody is served: its connections are taken over, or refused before."""
    result = subprocess.run(
        [sys.executable, "-c", REALTIME],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stderr
    assert among(json.loads(result.stdout), {"hypercorn", "wsproto"}) == []


@pytest.mark.parametrize("roles", [{"api": True}, {"queues": ["webhooks"]}, {"queues": ["mail"]}])
def test_a_start_makes_few_dataclasses(roles: Mapping[str, object]) -> None:
    _, dataclasses = built(**roles)
    sections = {name for name in dataclasses if name.endswith("Settings")}
    assert set(dataclasses) - sections - DATACLASSES == set()


def test_structlog_finds_no_rich_in_production() -> None:
    """It would import it wherever it is installed: five megabytes for each process."""
    locked = (Path(__file__).parents[2] / "requirements.lock").read_text()
    assert not re.search(r"^(rich|pygments|markdown-it-py|better-exceptions)==", locked, re.MULTILINE)
