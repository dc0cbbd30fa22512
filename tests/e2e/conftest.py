"""One running suite per test module: `ogel api` with every part in it, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import Servers, migrated
from tests.golden.gotrue.clients import javascript
from tests.support.carriers import Carriers
from tests.support.process import Client, Ogel


@pytest.fixture(scope="module")
def suite_servers(servers: Servers, _template: str) -> Iterator[dict[str, str]]:
    """The variables that name them."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
    with migrated(servers, _template) as url:
        yield {"DATABASE_URL": url, "REDIS_URL": servers.redis_url}


@pytest.fixture(scope="module")
def carriers() -> Iterator[Carriers]:
    """Whom the texts and push of a module go to, when its suite is told of them."""
    with Carriers() as carriers:
        yield carriers


@pytest.fixture(scope="module")
def suite(
    request: pytest.FixtureRequest,
    suite_servers: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ogel]:
    """A module's `ENVIRONMENT` comes on top of what every test process has."""
    environment: dict[str, Any] = {**suite_servers, **getattr(request.module, "ENVIRONMENT", {})}
    log = tmp_path_factory.mktemp("suite") / "ogel.log"
    with Ogel("api", "--with", "worker,scheduler,realtime", log=log, **environment) as ogel:
        yield ogel


@pytest.fixture
def api(suite: Ogel) -> Client:
    return suite.api


@pytest.fixture(scope="session")
def supabase_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with @supabase/supabase-js and what it consists of, as npm has them."""
    return javascript.install(tmp_path_factory.mktemp("npm"))
