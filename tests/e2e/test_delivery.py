"""The workflows: what they may do; and their own shell steps, run against a stand-in of Railway and a real suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ogel.adapters.railway.deployments import FOLLOW_SECONDS
from ogel.features.releases.railway import SEEN_SECONDS
from tests.support.answering import Asked, answering
from tests.support.cli import Finished, ogel_here
from tests.support.forking import on_path
from tests.support.passing_on import handing_on
from tests.support.process import ADMIN_KEY, Ogel, free_port
from tests.support.railway import Environment, RailwayServer, World

ROOT = Path(__file__).parents[2]
COMMIT = "8f14e45fceea167a5a36dedd4bea2543ab5c1f7e"
ENVIRONMENT = {"OGEL_COMMIT": COMMIT}
GOOD, NEW = "ghcr.io/you/ogel@sha256:" + "1" * 64, "ghcr.io/you/ogel@sha256:" + "2" * 64
WORKFLOWS: Mapping[str, Any] = {
    path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]

# At most: what brings the schema and then the others, a smoke test, and both on the way back, which goes all at once. A
# job that is cut off before leaves in place what does not work.
DEPLOYING_SECONDS = 3 * FOLLOW_SECONDS + SEEN_SECONDS + 2 * (180 + 30)

# Runs what a container of that image would, with the variables that are handed in alone; builds and pushes nothing.
DOCKER = """#!{python} -IS
import os, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
words = sys.argv[1:]
if words[0] == "inspect":
    print("{image}")
if words[0] != "run":
    sys.exit(0)
handed = []
words = words[1:]
while words[0].startswith("--"):
    option = words.pop(0)
    if option == "--env":
        handed.append(words.pop(0))
image, *arguments = words
assert image == "{image}", image
kept = {{name: os.environ[name] for name in [*handed, "PATH"] if name in os.environ}}
os.execve({ogel!r}, ["ogel", *arguments], {{**kept, **{inside!r}}})
"""


def test_there_are_two_workflows_and_no_step_is_anybody_elses() -> None:
    assert sorted(WORKFLOWS) == ["ci.yml", "deploy.yml"]
    for text in ((ROOT / ".github" / "workflows" / name).read_text() for name in WORKFLOWS):
        for used, pinned in re.findall(r"uses: (\S+)(.*)", text):
            if not used.startswith("./"):
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", used), used
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", pinned), used


@pytest.mark.parametrize("schema", ["github-workflows", "dependabot"])
def test_github_takes_them(schema: str) -> None:
    files = (ROOT / ".github").glob("workflows/*.yml" if schema == "github-workflows" else "dependabot.yml")
    tool = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    checked = subprocess.run([*tool, *map(str, files)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_workflows_may_read_what_is_there_and_only_those_of_pull_requests_are_cut_off() -> None:
    assert [each["permissions"] for each in WORKFLOWS.values()] == [{"contents": "read"}] * 2
    group = WORKFLOWS["ci.yml"]["concurrency"]["group"]
    assert group == "ci-${{ github.event.pull_request.number || github.run_id }}"
    # Not of the whole workflow: one that waits for somebody's yes would hold up the next one's staging.
    assert "concurrency" not in WORKFLOWS["deploy.yml"]
    for name in ("staging", "production"):
        alone = WORKFLOWS["deploy.yml"]["jobs"][name]["concurrency"]
        assert alone == {"group": f"deploy-{name}", "cancel-in-progress": False}


@pytest.mark.parametrize(("workflow", "name"), JOBS)
def test_a_job_ends_and_may_no_more_than_it_needs(workflow: str, name: str) -> None:
    job = WORKFLOWS[workflow]["jobs"][name]
    may = job.get("permissions", {"contents": "read"})
    assert may.get("contents") == "read"
    assert {scope for scope, right in may.items() if right == "write"} <= {"packages"}
    assert ("packages", "write") not in may.items() or name == "image"
    if "uses" not in job:
        deploys = any("railway/deploy.sh" in step.get("run", "") for step in job["steps"])
        assert job["timeout-minutes"] * 60 >= DEPLOYING_SECONDS if deploys else job["timeout-minutes"] <= 45
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "what others may write is not pasted into a shell"
            assert step.get("uses", "").startswith("actions/checkout") is (
                "persist-credentials" in step.get("with", {})
            )


def test_production_waits_for_somebody_and_for_staging() -> None:
    jobs = WORKFLOWS["deploy.yml"]["jobs"]
    assert jobs["image"]["needs"] == "test"
    assert jobs["staging"]["needs"] == "image"
    assert jobs["production"]["needs"] == ["image", "staging"]
    assert [jobs[each]["environment"]["name"] for each in ("staging", "production")] == [
        "staging",
        "production",
    ]
    assert jobs["staging"]["steps"] == jobs["production"]["steps"]


class Runner:
    """Runs steps as GitHub does: bash that stops at the first failure, and their own variables."""

    def __init__(
        self, directory: Path, given: Mapping[str, str], inside: Mapping[str, str], image: str
    ) -> None:
        self.log = directory / "docker.log"
        self.output = directory / "output"
        self.output.touch()
        docker = directory / "docker"
        docker.write_text(
            DOCKER.format(
                python=sys.executable,
                ogel=str(on_path() / "ogel"),
                log=str(self.log),
                image=image,
                inside=dict(inside),
            )
        )
        docker.chmod(0o755)
        self._environment = {
            "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_SHA": COMMIT,
            "GITHUB_ACTOR": "you",
            "GITHUB_REPOSITORY": "You/ogel",
        }
        self._given = given

    def run(self, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        variables = {name: self._expanded(value) for name, value in step.get("env", {}).items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            env={**self._environment, **variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _expanded(self, value: str) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self._given[found[1]], value)


def step(job: str, name: str) -> Mapping[str, Any]:
    [found] = [each for each in WORKFLOWS["deploy.yml"]["jobs"][job]["steps"] if each.get("name") == name]
    return dict(found)


def test_an_image_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {"github.token": "a-token"}, {}, NEW)
    for name in ("Sign in to the registry", "Build and push"):
        done = runner.run(step("image", name))
        assert done.returncode == 0, done.stderr
    assert runner.output.read_text() == f"image={NEW}\n"
    said = runner.log.read_text()
    arguments = (
        f"--build-arg OGEL_COMMIT={COMMIT} --build-arg OGEL_COMMITTED_AT=.*--tag ghcr.io/you/ogel:{COMMIT}"
    )
    assert re.search(rf"^build {arguments} \.$", said, re.MULTILINE)
    assert f"push ghcr.io/you/ogel:{COMMIT}" in said
    assert "a-token" not in said


@pytest.fixture
def production() -> Environment:
    """`api` and `worker`, on an image that is good."""
    environment = World().project("shop").environment("production")
    environment.service("Postgres", image="postgres-ssl:18").deployed()
    for name in ("api", "worker"):
        made = environment.service(name, image=GOOD, start_command=f"/app/entrypoints/{name}")
        made.deployed()
        for _ in range(2):
            made.next_deployment("SUCCESS")
    return environment


@pytest.fixture
def railway(production: Environment) -> Iterator[RailwayServer]:
    with RailwayServer(production.project.world) as started:
        yield started


def runs(production: Environment) -> list[str]:
    return [each.active.meta["image"] for each in production.instances[1:] if each.active is not None]


def deployed(
    suite: Ogel, url: str, railway: RailwayServer, production: Environment, at: Path, key: str = ADMIN_KEY
) -> Any:
    """The step `Deploy` of both jobs: its result, and the seconds that it took."""
    variables = railway.variables(production)
    given = {
        "needs.image.outputs.image": NEW,
        "vars.OGEL_URL": url,
        "vars.OGEL_RAILWAY_SMOKE": f"--realtime http://127.0.0.1:{suite.port} --seconds 25",
        "secrets.OGEL_KEY": key,
        "secrets.RAILWAY_TOKEN": variables["RAILWAY_TOKEN"],
    }
    inside = {"OGEL_RAILWAY_API": variables["OGEL_RAILWAY_API"]}
    began = time.monotonic()
    return Runner(at, given, inside, NEW).run(step("production", "Deploy")), time.monotonic() - began


def test_what_works_stays(
    suite: Ogel, railway: RailwayServer, production: Environment, tmp_path: Path
) -> None:
    done, seconds = deployed(suite, f"http://127.0.0.1:{suite.port}", railway, production, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < 30
    assert runs(production) == [NEW, NEW]
    assert "Rollback" not in railway.operations()


def test_what_does_not_work_is_gone_back_from(
    suite: Ogel, railway: RailwayServer, production: Environment, tmp_path: Path
) -> None:
    """The new image signs what it delivers with something else."""

    def of_image(asked: Asked, body: bytes) -> bytes:
        is_new = NEW in runs(production)
        return body.replace(b'"v1,', b'"v1,A') if is_new and b"webhook-signature" in body else body

    with answering(handing_on(suite, of_image)) as there:
        done, _ = deployed(suite, there.url, railway, production, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ogel: signature; exit code 52" in done.stderr
    assert runs(production) == [GOOD, GOOD]
    assert [each.image for each in production.instances[1:]] == [GOOD, GOOD]
    assert done.stdout.rstrip().splitlines()[-1].startswith("well, in ")


def test_what_never_comes_to_run_touches_nothing_else(
    suite: Ogel, railway: RailwayServer, production: Environment, tmp_path: Path
) -> None:
    _, api, worker = production.instances
    api.coming[0] = ("FAILED",)
    done, _ = deployed(suite, f"http://127.0.0.1:{suite.port}", railway, production, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (len(api.deployments), len(worker.deployments)) == (2, 1)
    assert (api.image, worker.image) == (GOOD, GOOD)
    assert "Rollback" not in railway.operations()


def test_what_cannot_be_gone_back_from_is_told_from_what_was(
    suite: Ogel, railway: RailwayServer, production: Environment, tmp_path: Path
) -> None:
    """Here with a key that is none: `smoke` fails at once, before and after."""
    done, _ = deployed(suite, f"http://127.0.0.1:{suite.port}", railway, production, tmp_path, key="nobody")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("ogel: key; exit code 20") == 2
    assert runs(production) == [GOOD, GOOD]


def test_going_back_behind_a_migration_is_said(
    suite: Ogel, railway: RailwayServer, production: Environment
) -> None:
    """The tables of this suite were made just now, and what is gone back to is of yesterday."""
    api = production.instances[1]
    api.deployments[0].created_at -= timedelta(days=1)
    api.deploy()

    def rollback(*more: str, port: int) -> Finished:
        where = {"OGEL_URL": f"http://127.0.0.1:{port}", "OGEL_KEY": ADMIN_KEY}
        return ogel_here("release", "rollback", "--dry-run", *more, **railway.variables(production), **where)

    told = json.loads(rollback("--json", port=suite.port).out)["schema"]
    newest = suite.api.ok("GET", "/api/release")["schema"]["applied"][0]["name"]
    assert (told["moved_on"][0], told["unseen"]) == (newest, None)
    assert "The schema has moved on since then, by " in rollback(port=suite.port).out
    assert "cannot be seen: http://127.0.0.1:" in rollback(port=free_port()).out
