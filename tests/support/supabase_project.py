"""A project on Railway as people made it of Supabase's parts, whose services run here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.cli import Finished, ogel_here
from tests.support.mongo import Mongo
from tests.support.railway import Environment, Instance, RailwayServer, World
from tests.support.receiver import Receiver

EMPTY_MONGO: Mapping[str, Mapping[str, Any]] = {
    "buildInfo": {"version": "8.0.4"},
    "serverStatus": {
        "uptime": 30 * 86_400.0,
        "connections": {"current": 2},
        "opcounters": {"insert": 0, "query": 9, "update": 0, "delete": 0, "command": 12},
    },
    "listDatabases": {"databases": [{"name": "admin"}, {"name": "config"}, {"name": "local"}]},
}


class SupabaseProject:
    """A project on Railway, and what runs of it here."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self.world = World()
        self.production: Environment = self.world.project("shop").environment("production")
        self.railway = RailwayServer(self.world)

    def __enter__(self) -> SupabaseProject:
        self._running.enter_context(self.railway)
        return self

    def __exit__(self, *why: object) -> None:
        self._running.close()

    def service(
        self, name: str, running: Receiver | Mongo | None = None, port: int = 80, **made_of: Any
    ) -> Instance:
        """`port` is the service's own, which a TCP proxy leads to."""
        made = self.production.service(name, **made_of)
        made.deployed(at=datetime.now(UTC) - timedelta(days=20))
        if running is not None:
            self._running.enter_context(running)
            made.tcp_proxy(port, "localhost", running.port)
        return made

    def audit(self, *options: str) -> Finished:
        return ogel_here("consolidate", *options, **self.railway.variables())

    def report(self, *options: str) -> dict[str, Any]:
        found = self.audit("--json", *options)
        assert found.code == 0, found
        report: dict[str, Any] = json.loads(found.out)
        return report
