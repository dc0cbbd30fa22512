"""docs/add-a.md, followed to the letter in a copy of the tree: the queue it adds is everywhere, and its job runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import Ogel, eventually

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
    tree = tmp_path_factory.mktemp("tree")
    for name in NEEDED:
        if (ROOT / name).is_dir():  # with what is compiled of it: each process would compile it all
            shutil.copytree(ROOT / name, tree / name)
        else:
            shutil.copy2(ROOT / name, tree / name)
    text = (ROOT / "docs" / "add-a.md").read_text()
    followed(text.partition("## A queue, with one kind and one schedule")[2], tree)
    return tree


def surroundings(tree: Path) -> dict[str, str]:
    """In which `ogel` is the copy, wherever we are."""
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def test_the_queue_is_wherever_a_queue_must_be(tree: Path) -> None:
    tests = [
        str(tree / "tests" / "repo" / name) for name in ("test_processes_agree.py", "test_own_events.py")
    ]
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
    assert "worker-newsletter" in (tree / "railway" / "railway.py").read_text()


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
