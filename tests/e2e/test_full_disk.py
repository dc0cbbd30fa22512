"""A disk that fills up while the suite runs: everybody is told what it is, and it goes on when there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract import assert_problem
from tests.support.disk import fill, small_disk
from tests.support.process import Ogel, eventually

MEGABYTES = 160
LARGE = "x" * 200_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", MEGABYTES) as mounted:
        yield mounted


def test_a_full_disk_is_called_by_its_name_until_there_is_room(tmp_path: Path, disk: Path) -> None:
    with Ogel("up", log=tmp_path / "up.log", OGEL_DATA_DIR=str(disk / "data")) as ogel:
        api = ogel.api
        kept = api.ok("POST", "/api/events", {"type": "order.created", "data": LARGE})["id"]
        filler = fill(disk)
        # Before anything was lost, and without a publish having failed.
        health = eventually(
            lambda: (answer := api("GET", "/api/health")).status == 503 and answer.json, 20, "bad health"
        )
        assert health["status"] == "unhealthy"
        assert "disk is full" in health["reasons"]["postgres"]
        ready = api("GET", "/health/ready")
        assert ready.status == 503
        assert "disk is full" in ready.json["reasons"]["postgres"]
        refused = eventually(
            lambda: (
                (answer := api("POST", "/api/events", {"type": "order.created", "data": LARGE})).status != 202
                and answer
            ),
            30,
            "a publish to be refused",
        )
        assert_problem(refused, 503)
        assert refused.json["type"] == "urn:ogel:database-disk-full"
        assert refused.json["title"] == "Database disk full"
        assert refused.headers["retry-after"] == "30"
        alerts = {each["name"]: each for each in api.ok("GET", "/api/alerts/check")["items"]}
        assert alerts["disk.free"]["is_over"]
        assert alerts["database.writes"]["is_over"]
        filler.unlink()
        eventually(lambda: api("GET", "/health/ready").status == 200, 30, "it to be ready again")
        eventually(
            lambda: api("POST", "/api/events", {"type": "order.created", "data": LARGE}).status == 202,
            30,
            "a publish to be accepted",
        )
        api.ok("GET", f"/api/events/{kept}")
        assert '"http.error"' not in ogel.log_text()
