"""`ogel release`, against a stand-in of Railway: what runs is told, deployed and gone back from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Finished, ogel_here
from tests.support.on_terminal import OnTerminal
from tests.support.railway import Instance, RailwayServer, World

ROOT = Path(__file__).parents[2]


class Suite:
    """`api` and `worker` on their second image, beside a database."""

    def __init__(self) -> None:
        self.now = now = datetime.now(UTC)
        self.world = World()
        self.project = self.world.project("shop")
        self.production = self.project.environment("production")
        self.staging = self.project.environment("staging")
        self.postgres = self.production.service("Postgres", image="postgres-ssl:18")
        self.postgres.deployed(at=now - timedelta(days=9))
        self.api, self.worker = (
            self.production.service(
                name,
                image="ghcr.io/you/ogel:1",
                start_command=f"/app/entrypoints/{name}",
                variables={"MODE": "one"},
            )
            for name in ("api", "worker")
        )
        for number, service in enumerate((self.api, self.worker)):
            service.deployed(at=now - timedelta(days=3, minutes=-number))
            service.image, service.variables = "ghcr.io/you/ogel:2", {"MODE": "two"}
            service.deployed(at=now - timedelta(hours=1, minutes=-number))


@pytest.fixture
def suite() -> Suite:
    return Suite()


@pytest.fixture
def railway(suite: Suite) -> Iterator[RailwayServer]:
    with RailwayServer(suite.world) as started:
        yield started


def release(railway: RailwayServer, suite: Suite, *arguments: str, **settings: str) -> Finished:
    return ogel_here("release", *arguments, **railway.variables(suite.production), **settings)


def document(finished: Finished) -> Any:
    assert finished.err == ""
    return json.loads(finished.out)


def made_of(service: Instance) -> tuple[str | None, str | None]:
    assert service.active is not None
    return service.active.meta.get("image"), service.image


def test_status_tells_what_runs_and_what_could_be_gone_back_to(suite: Suite, railway: RailwayServer) -> None:
    suite.worker.next_deployment("BUILDING", "BUILDING", "BUILDING")
    suite.worker.deploy()
    items = document(release(railway, suite, "status", "--json"))["items"]
    assert [each["name"] for each in items] == ["api", "worker"]
    api, worker = items
    first, second = suite.api.deployments
    assert (api["running"]["id"], [each["id"] for each in api["before"]]) == (second.id, [first.id])
    assert api["under_way"] is None and worker["under_way"]["status"] == "BUILDING"
    shown = release(railway, suite, "status")
    assert shown.code == 0
    for part in ("ogel:2", first.id, second.id, "success, next is building"):
        assert part in shown.out
    assert "Postgres" not in shown.out
    assert "Postgres" in release(railway, suite, "status", "--service", "Postgres").out


def test_one_step_back_restores_image_and_variables_of_the_whole_release(
    suite: Suite, railway: RailwayServer
) -> None:
    for service in (suite.api, suite.worker):
        service.next_deployment("SUCCESS")
    finished = release(railway, suite, "rollback", "--yes")
    assert (finished.code, finished.err) == (0, "")
    first, second = (each.id for each in suite.api.deployments[:2])
    assert f"  from  {second} (ogel:2, " in finished.out and f"  to    {first} (ogel:1, " in finished.out
    assert "cannot be seen: no suite is named" in finished.out
    for service in (suite.api, suite.worker):
        assert made_of(service) == ("ghcr.io/you/ogel:1", "ghcr.io/you/ogel:1")
        assert service.variables == {"MODE": "one"}
        assert f"{service.name}  SUCCESS  {service.deployments[-1].id} of ogel:1" in finished.out


def test_it_asks_first_and_no_is_an_answer(suite: Suite, railway: RailwayServer) -> None:
    command = [sys.executable, "-m", "ogel", "release", "rollback"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **railway.variables(suite.production)}
    with OnTerminal(command, environment) as asked:
        asked.until(lambda shown: "Go back? [y/N]" in shown)
        asked.type("n\n")
        asked.end()
    assert "Rollback" not in railway.operations()
    dry = document(release(railway, suite, "rollback", "--dry-run", "--json"))
    assert [each["service"] for each in dry["returns"]] == ["api", "worker"]
    assert "Rollback" not in railway.operations()


def test_one_service_one_deployment_and_one_moment(suite: Suite, railway: RailwayServer) -> None:
    suite.worker.next_deployment("SUCCESS")
    told = document(release(railway, suite, "rollback", "--service", "worker", "--yes", "--json"))
    assert [each["service"] for each in told["returns"]] == ["worker"]
    assert [each["problem"] for each in told["ended"]] == [None]
    suite.worker.next_deployment("SUCCESS")
    newer = suite.worker.deployments[1].id
    assert release(railway, suite, "rollback", "--to", newer, "--yes").code == 0
    assert made_of(suite.worker) == ("ghcr.io/you/ogel:2", "ghcr.io/you/ogel:2")
    then = (suite.now - timedelta(hours=2)).isoformat()
    dry = document(release(railway, suite, "rollback", "--before", then, "--dry-run", "--json"))
    assert {each["to"]["id"] for each in dry["returns"]} == {
        service.deployments[0].id for service in (suite.api, suite.worker)
    }


def test_what_railway_says_and_how_it_ends_is_told(suite: Suite, railway: RailwayServer) -> None:
    suite.api.next_deployment("FAILED")
    suite.worker.next_deployment("SUCCESS")
    finished = release(railway, suite, "rollback", "--yes")
    assert finished.code == 1
    assert finished.err == f"ogel: api: deployment {suite.api.deployments[-1].id} ended as FAILED\n"
    railway.misbehave(
        when="mutation Rollback", error="deploymentRollback", message="Not any more", times=None
    )
    newer = suite.worker.deployments[1].id
    finished = release(railway, suite, "rollback", "--service", "worker", "--to", newer, "--yes")
    assert finished.code == 1
    assert "Not any more" in finished.err
    assert len(finished.err.splitlines()) == 1


def test_an_image_that_cannot_be_set_back_keeps_nothing_from_going_back(
    suite: Suite, railway: RailwayServer, tmp_path: Path
) -> None:
    """Of a deployment that reached one service: it works, which goes back; the other was only told of the image."""
    assert suite.worker.active is not None
    suite.worker.active.meta["image"] = "ghcr.io/you/worker:2"
    recorded = tmp_path / "status"
    recorded.write_text(release(railway, suite, "status", "--json").out)
    for service in (suite.api, suite.worker):
        service.image = "ghcr.io/you/ogel:3"
    suite.api.deployed(at=suite.now)
    suite.worker.next_deployment("FAILED")
    suite.worker.deploy()
    railway.misbehave(when="you/worker:2", error="serviceInstanceUpdate", times=None)
    suite.api.next_deployment("SUCCESS")
    finished = release(railway, suite, "rollback", "--as-in", str(recorded), "--yes")
    assert made_of(suite.api) == ("ghcr.io/you/ogel:2",) * 2
    assert finished.code == 1
    assert finished.err == "ogel: worker: Railway says: Problem processing request at serviceInstanceUpdate\n"


@pytest.mark.parametrize("content", [b'{"items":[{"service_id":"\xff"}]}', b"[" * 100_000, b"\xff", b"null"])
def test_a_record_that_is_none_is_one_line(
    suite: Suite, railway: RailwayServer, tmp_path: Path, content: bytes
) -> None:
    recorded = tmp_path / "status"
    recorded.write_bytes(content)
    finished = release(railway, suite, "rollback", "--as-in", str(recorded), "--yes")
    assert finished.code == 2 and "is not what `ogel release status --json` writes" in finished.err


def test_nothing_to_go_back_to_and_no_such_thing_are_one_line(suite: Suite, railway: RailwayServer) -> None:
    for service in (suite.api, suite.worker):
        service.deployments[0].can_rollback = False
    for arguments, code, said in (
        (
            ("rollback", "--yes"),
            1,
            "there is nothing to go back to: api has nothing that",
        ),
        (("rollback", "--to", "nobody", "--yes"), 1, "nobody is none of the deployments"),
        (("status", "--service", "wroker"), 1, "there is no service 'wroker'"),
        (("deploy", "--yes"), 2, "--image or --commit: give one of them"),
        (("rollback", "--to", "a", "--before", "2h"), 2, "--to, --before and --as-in: take one of them"),
        (("rollback", "--as-in", __file__), 2, "--as-in: that is not what"),
    ):
        finished = release(railway, suite, *arguments)
        assert (finished.code, said in finished.err) == (code, True), finished
        assert "Traceback" not in finished.err
    without = ogel_here("release", "status")
    assert (without.code, without.err) == (2, "ogel: neither RAILWAY_TOKEN nor RAILWAY_API_TOKEN is set\n")


def test_a_deployment_begins_with_what_brings_the_schema(suite: Suite, railway: RailwayServer) -> None:
    for service in (suite.api, suite.worker):
        service.next_deployment("SUCCESS")
    finished = release(railway, suite, "deploy", "--image", "ghcr.io/you/ogel@sha256:3", "--yes")
    assert (finished.code, finished.err) == (0, "")
    assert made_of(suite.api) == made_of(suite.worker) == ("ghcr.io/you/ogel@sha256:3",) * 2
    deployed = [each.variables["serviceId"] for each in railway.asked if each.operation == "Deploy"]
    assert deployed == [suite.api.service_id, suite.worker.service_id]
    suite.api.next_deployment("FAILED")
    finished = release(railway, suite, "deploy", "--image", "ghcr.io/you/ogel:4", "--yes")
    assert finished.code == 1
    assert suite.worker.deployments[-1].meta["image"] == "ghcr.io/you/ogel@sha256:3"
    refused = release(railway, suite, "deploy", "--commit", "4f1c2d3", "--yes")
    assert (refused.code, "which has no commits: say --image" in refused.err) == (1, True)


def test_services_of_a_repository_are_deployed_by_commit(suite: Suite, railway: RailwayServer) -> None:
    for name in ("api", "worker"):
        service = suite.staging.service(name, repo="you/ogel", start_command=f"/app/entrypoints/{name}")
        service.next_deployment("SUCCESS")
    place = ("--environment", "staging", "--yes")
    finished = ogel_here("release", "deploy", "--commit", "4f1c2d3", *place, **railway.variables())
    assert (finished.code, finished.err) == (0, "")
    assert [each.deployments[-1].meta["commitHash"] for each in suite.staging.instances] == ["4f1c2d3"] * 2
    refused = ogel_here("release", "deploy", "--image", "ogel:4", *place, **railway.variables())
    assert (refused.code, "is made of you/ogel: say --commit" in refused.err) == (1, True)
