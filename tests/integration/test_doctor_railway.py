"""What the doctor says of the token for Railway's API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ogel.cli.doctor import railway
from ogel.cli.doctor.finding import Finding
from ogel.cli.doctor.patient import met
from tests.support.railway import RailwayServer, World


@pytest.fixture
def server() -> Iterator[RailwayServer]:
    world = World()
    world.project("shop").environment("production")
    with RailwayServer(world) as started:
        yield started


def looked_at(**environ: str) -> list[Finding]:
    servers = {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost"}
    return [*asyncio.run(railway.token(met({**servers, **environ})))]


def test_tokens_that_work(server: RailwayServer) -> None:
    [found] = looked_at(**server.variables())
    assert (found.ok, found.detail) == (True, "RAILWAY_API_TOKEN is known")
    [found] = looked_at(**server.variables(server.world.projects[0].environments[0]))
    assert found.ok and "bills are not told to it" in found.detail


def test_tokens_that_do_not(server: RailwayServer) -> None:
    api = {"OGEL_RAILWAY_API": server.url}
    [found] = looked_at(**api, RAILWAY_TOKEN="gone")
    assert not found.ok and "RAILWAY_TOKEN" in found.detail and "take it away" in (found.advice or "")
    [found] = looked_at(**api, RAILWAY_TOKEN="one", RAILWAY_API_TOKEN="other")
    assert not found.ok and "are both set" in found.detail
    [found] = looked_at(RAILWAY_TOKEN="one", OGEL_RAILWAY_API="http://127.0.0.1:1/graphql/v2")
    assert not found.ok and "no answer of Railway's API" in found.detail
    server.misbehave(missing="apiToken.workspaces")
    [found] = looked_at(**server.variables())
    assert not found.ok and "too old" in (found.advice or "")


def test_nothing_is_said_of_none() -> None:
    assert looked_at() == []
