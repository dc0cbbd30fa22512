"""Which project and environment on Railway a command means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ogel.cli.railway_project import place_of
from ogel.kernel.errors import Invalid, NotFound, OgelError
from ogel.platform.railway import railway
from ogel.settings import NOWHERE
from tests.support.railway import RailwayServer, World


@pytest.fixture
def server() -> Iterator[RailwayServer]:
    world = World()
    for name in ("shop", "Blog"):
        project = world.project(name)
        project.environment("production")
        project.environment("staging")
    with RailwayServer(world) as started:
        yield started


def place(
    server: RailwayServer, project: str | None = None, environment: str | None = None, **settings: Any
) -> tuple[str, str]:
    given = {"railway_api": server.url, "railway_api_token": server.world.api_token, **settings}

    async def asked() -> tuple[str, str]:
        chosen = replace(NOWHERE, **given)
        async with railway(chosen) as opened:
            found = await place_of(opened, chosen, project, environment)
        return found.project.name, found.environment.name

    return asyncio.run(asked())


def test_by_name_by_id_and_by_a_name_in_other_capitals(server: RailwayServer) -> None:
    blog = server.world.projects[1]
    assert place(server, "shop", "staging") == ("shop", "staging")
    assert place(server, "blog", "STAGING") == ("Blog", "staging")
    assert place(server, blog.id, blog.environments[1].id) == ("Blog", "staging")


def test_by_the_settings_which_an_option_goes_before(server: RailwayServer) -> None:
    shop = server.world.projects[0]
    here = {"railway_project_id": shop.id, "railway_environment_id": shop.environments[1].id}
    assert place(server, **here) == ("shop", "staging")
    assert place(server, environment="production", **here) == ("shop", "production")
    with pytest.raises(Invalid):  # the settings' environment is another project's
        place(server, "Blog", **here)
    assert place(server, "Blog", "staging", **here) == ("Blog", "staging")


def test_by_a_projects_token(server: RailwayServer) -> None:
    token = server.world.projects[1].environments[1].token()
    assert place(server, railway_api_token=None, railway_token=token) == ("Blog", "staging")


def test_the_only_one_there_is(server: RailwayServer) -> None:
    workspace = server.world.workspace("Small")
    server.world.project("wiki", workspace).environment("production")
    assert place(server, railway_api_token=workspace.token()) == ("wiki", "production")


@pytest.mark.parametrize(
    ("project", "environment", "kind", "line"),
    [
        (None, None, Invalid, "which project? Give --project one of: Blog, shop"),
        ("shop", None, Invalid, "which environment? Give --environment one of: production, staging"),
        ("shap", None, NotFound, "there is no project 'shap'; there are shop, Blog"),
        ("shop", "prod", NotFound, "there is no environment 'prod'; there are production, staging"),
    ],
)
def test_one_line_that_lists_the_names(
    server: RailwayServer, project: str | None, environment: str | None, kind: type[OgelError], line: str
) -> None:
    with pytest.raises(kind) as caught:
        place(server, project, environment)
    assert caught.value.message == line


def test_several_of_one_name_are_told_by_their_ids(server: RailwayServer) -> None:
    second = server.world.project("shop", server.world.workspace("Other"))
    with pytest.raises(Invalid) as caught:
        place(server, "shop")
    assert "2 projects called 'shop'" in caught.value.message
    assert second.id in caught.value.message


def test_a_token_that_sees_nothing(server: RailwayServer) -> None:
    empty = server.world.workspace("Empty").token()
    with pytest.raises(NotFound, match="the token sees no project"):
        place(server, railway_api_token=empty)
    with pytest.raises(NotFound, match="the token sees no project"):
        place(server, "shop", railway_api_token=empty)
