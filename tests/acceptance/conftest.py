"""A system under test, and a receiver that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from ogel.adapters.embedded import EmbeddedServers
from tests.support.receivers.recording import RecordingReceiver
from tests.support.system import System, Wanted, system_class


class StartSystem(Protocol):
    def __call__(self, **wanted: Any) -> System:
        """With `wanted` as in support/system.py."""


@pytest.fixture
def start_system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartSystem]:
    """What is started ends with the test. It uses `own_servers` where the test names them."""
    if "own_servers" in request.fixturenames:
        servers = request.getfixturevalue("own_servers")
        urls = servers.database_url, servers.redis_url
    else:
        urls = request.getfixturevalue("database_url"), request.getfixturevalue("redis_url")
    with ExitStack() as running:
        yield lambda **wanted: running.enter_context(system_class()(tmp_path, Wanted(**wanted), *urls))


@pytest.fixture
def start_control(control_database_url: str, redis_url: str, tmp_path: Path) -> Iterator[StartSystem]:
    """
    A second system on the same servers, with databases of its own: whatever the machine does to the one under test, it
    does to this one in the same moment.
    """
    directory = tmp_path / "control"
    directory.mkdir()
    urls = control_database_url, urlsplit(redis_url)._replace(path="/1").geturl()
    with ExitStack() as running:
        yield lambda **wanted: running.enter_context(system_class()(directory, Wanted(**wanted), *urls))


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[EmbeddedServers]:
    """Servers that this test may stop."""
    with EmbeddedServers.start(tmp_path / "servers") as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as running:
        yield running
