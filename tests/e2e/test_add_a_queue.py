"""docs/add-a.md, followed to the letter in copies of the tree: what it adds is everywhere it must be, and works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.process import ADMIN_KEY, Ogel, eventually

ROOT = Path(__file__).parents[2]
NEEDED = (
    "ogel",
    "entrypoints",
    "docker",
    "docker-compose.yml",
    "docs",
    "Dockerfile",
    "railway",
    "sql",
    "tests/repo",
    ".env.example",
)
# A line that ends in a colon, and names a file first; below it the file's words, or what is added to them.
BLOCK = re.compile(r"`(?P<path>[\w./-]+)`[^\n]*:\n\n(?P<blocks>(?:```\w+\n.*?```\n\n)+)", re.DOTALL)


def followed(text: str, tree: Path) -> None:
    for found in BLOCK.finditer(text):
        path = tree / found["path"]
        for kind, words in re.findall(r"```(\w+)\n(.*?)```\n\n", found["blocks"], re.DOTALL):
            if kind == "diff":
                add(path, words)
            else:
                path.parent.mkdir(exist_ok=True)
                path.write_text(words)
            if path.parent.name == "entrypoints":
                path.chmod(0o755)


def add(path: Path, diff: str) -> None:
    """Below the line it shows, which must stand there once."""
    lines = diff.splitlines()
    assert re.fullmatch(r" *\+*", "".join(line[0] for line in lines)), diff
    shown = "".join(f"{line[1:]}\n" for line in lines if line[0] == " ")
    added = "".join(f"{line[1:]}\n" for line in lines if line[0] == "+")
    text = path.read_text()
    assert text.count(shown) == 1, f"{path.name} has not once: {shown}"
    path.write_text(text.replace(shown, shown + added))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_section(tmp_path_factory.mktemp("tree"), "A queue, with one kind and one schedule")


@pytest.fixture(scope="module")
def tree_of_notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_section(tmp_path_factory.mktemp("notes"), "A feature, with all it can have")


def with_section(tree: Path, title: str) -> Path:
    """A copy of what there is, with what add-a.md says there."""
    for name in NEEDED:
        if (ROOT / name).is_dir():  # with what is compiled of it: each process would compile it all
            shutil.copytree(ROOT / name, tree / name)
        else:
            shutil.copy2(ROOT / name, tree / name)
    followed(section(title), tree)
    return tree


def section(title: str) -> str:
    return (ROOT / "docs" / "add-a.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0] + "\n"


def surroundings(tree: Path) -> dict[str, str]:
    """In which `ogel` is the copy, wherever we are."""
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def test_the_queue_is_wherever_a_queue_must_be(tree: Path) -> None:
    assert_pass(tree, ["test_processes_agree.py", "test_own_events.py"])
    assert "worker-newsletter" in (tree / "railway" / "railway.py").read_text()


def assert_pass(tree: Path, names: list[str]) -> None:
    tests = [str(tree / "tests" / "repo" / name) for name in names]
    asked = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--noconftest",
        *tests,
    ]
    environment = {**os.environ, **surroundings(tree), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = subprocess.run(asked, cwd=tree, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_job_runs_by_its_schedule(tree: Path, suite_servers: dict[str, str], tmp_path: Path) -> None:
    environment = {**suite_servers, **surroundings(tree)}
    with (
        Ogel("worker", "newsletter", log=tmp_path / "worker.log", **environment),
        Ogel("api", log=tmp_path / "api.log", **environment) as ogel,
    ):
        asked = [sys.executable, "-m", "ogel", "schedules", "run", "newsletter.weekly"]
        result = subprocess.run(asked, env=ogel.environment, capture_output=True, text=True, timeout=60)
        assert result.stdout.startswith("newsletter.weekly: job job_"), result.stderr
        eventually(lambda: ogel.api.ok("GET", "/api/events?type=newsletter.issued")["items"], 20, "the issue")
        shown = ogel.api.ok("GET", "/api/schedules/newsletter.weekly")
        assert (shown["last_outcome"], shown["built_in"]) == ("done", True)
        queues = {each["name"]: each for each in ogel.api.ok("GET", "/api/queues")["items"]}
        assert len(queues["newsletter"]["workers"]) == 1


def test_a_feature_with_all_it_can_have_touches_four_shared_files(tree_of_notes: Path) -> None:
    """By hand one line; the others are written by `ogel settings --env`, `make schema` and `make examples`."""
    tree = tree_of_notes
    written = [sys.executable, "-m", "ogel", "settings", "--env"]
    environment = {**os.environ, **surroundings(tree)}
    template = subprocess.run(written, cwd=tree, env=environment, capture_output=True, text=True, timeout=60)
    (tree / ".env.example").write_text(template.stdout)
    files = [path for path in tree.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    there = {path.relative_to(tree) for path in files if (ROOT / path.relative_to(tree)).is_file()}
    changed = {str(path) for path in there if (tree / path).read_bytes() != (ROOT / path).read_bytes()}
    assert changed == {".env.example", "ogel/platform/features.py"}
    assert len(changed | {"sql/schema.sql", "ogel/examples.json"}) <= 4
    asked = ["test_processes_agree.py", "test_own_events.py", "test_settings_are_passed_on.py"]
    assert_pass(tree, [*asked, "test_access_matrix.py", "test_platform_is_whole.py"])


def test_its_route_stream_job_and_setting_work(
    tree_of_notes: Path, suite_servers: dict[str, str], tmp_path: Path
) -> None:
    environment = {**suite_servers, **surroundings(tree_of_notes), "OGEL_NOTE_CHARACTERS": "20"}
    arguments = ("api", "--with", "worker,scheduler,realtime")
    with Ogel(*arguments, log=tmp_path / "api.log", **environment) as ogel:
        with closing(HTTPConnection("127.0.0.1", ogel.port, timeout=20)) as connection:
            connection.request("GET", "/realtime/notes", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
            stream = connection.getresponse()
            assert stream.status == 200
            written = ogel.api.ok("POST", "/api/notes", {"body": "hello"})
            line = next(line for line in stream if line.startswith(b"data: "))
            assert json.loads(line.removeprefix(b"data: ")) == written
        assert ogel.api("POST", "/api/notes", {"body": "more than twenty characters"}).status == 422
        job = ogel.api.ok("POST", "/api/schedules/notes.count/run")["job"]
        eventually(lambda: ogel.api("GET", f"/api/jobs/{job}").status == 404, 20, "the job is done")
        assert "cleanup.notes" in [
            each["name"] for each in ogel.api.ok("GET", "/api/schedules?limit=100")["items"]
        ]
