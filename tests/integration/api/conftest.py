"""The API in this process, on a database of the module's own: no process is started, and no port listened on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Servers, migrated
from tests.support.world import World


@pytest.fixture(scope="module")
def suite_servers(servers: Servers, _template: str) -> Iterator[dict[str, str]]:
    """The variables that name them."""
    with migrated(servers, _template) as url:
        yield {"DATABASE_URL": url, "REDIS_URL": servers.redis_url}


@pytest.fixture(scope="module")
def api(
    request: pytest.FixtureRequest, suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A module's `ENVIRONMENT` comes on top."""
    data = {"OGEL_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    environment: dict[str, Any] = {**suite_servers, **data, **getattr(request.module, "ENVIRONMENT", {})}
    with World(**environment) as world:
        yield world
