"""The runbook about a bill that is too high: a service runs away in a project, and the page is followed to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.night import ENDS, QUIET, check_alerts, follow, raised, restart
from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.railway import RailwayServer, World
from tests.support.reading import Reading

PAGE = "docs/runbooks/cost-overrun.md"


@pytest.mark.long
def test_a_service_runs_away(database_url: str, redis_url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    world = World()
    workspace = world.workspace(period_start=now - timedelta(days=10), period_end=now + timedelta(days=20))
    project = world.project("shop", workspace)
    production = project.environment("production")
    production.service("api", metrics={"MEMORY_USAGE_GB": 0.6, "CPU_USAGE": 0.03, "NETWORK_TX_GB": 0.1})
    run_away = production.service("import", metrics={"MEMORY_USAGE_GB": 4.0, "CPU_USAGE": 0.5})
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **QUIET}
    with (
        RailwayServer(world) as railway,
        Ogel(
            *("api", "--with", "worker,scheduler"),
            log=tmp_path / "ogel.log",
            OGEL_COST_BUDGET="20",
            **settings,
            RAILWAY_PROJECT_ID=project.id,
            **railway.variables(),
        ) as ogel,
    ):

        def read() -> None:
            job = ogel.api.ok("POST", "/api/schedules/costs.read/run")["job"]
            eventually(lambda: ogel.api("GET", f"/api/jobs/{job}").status == 404, 20, "the bill to be read")
            check_alerts(ogel.api)

        def mended() -> None:
            run_away.metrics.clear()
            restart(ogel, tmp_path, OGEL_COST_BUDGET="60")
            read()

        read()
        assert {"cost.forecast", "cost.spent_50"} <= raised(ogel.api).keys()
        assert set(raised(ogel.api).values()) == {PAGE}
        reading = Reading(
            before={"ogel cost watch": mended},
            ends=ENDS,
            environment={"OGEL_URL": f"http://localhost:{ogel.port}", "OGEL_KEY": ADMIN_KEY},
        )
        follow("cost-overrun.md", reading, tmp_path, ogel)
