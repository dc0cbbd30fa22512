"""The locks: everything that is needed at work, and no library for tests in what users run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXCLUDED = {canonicalize_name(name) for name in PROJECT["tool"]["uv"]["exclude-dependencies"]}
SHIPPED = {"embedded", "mongo", "s3", "sentry"}
# By what rq-scheduler asks for, and does not import.
FOR_TESTS = {"freezegun", "pytest", "hypothesis", "mypy", "ruff", "testcontainers", "schemathesis"}


def locked(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {canonicalize_name(line.partition("==")[0].strip()) for line in lines if "==" in line}


def needed(extras: set[str]) -> set[str]:
    """What `ogel[…]` asks for here, and what that asks for, and so on."""
    wanted = [("ogel", frozenset(extras))]
    found: dict[str, frozenset[str]] = {}
    while wanted:
        name, asked = wanted.pop()
        if name in EXCLUDED or asked <= found.get(name, frozenset({"nothing yet"})):
            continue
        found[name] = asked | found.get(name, frozenset())
        for text in asks_for(name):
            requirement = Requirement(text)
            environments = [{"extra": extra} for extra in ("", *asked)]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                wanted.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return set(found) - {"ogel"}


def asks_for(name: str) -> list[str]:
    if name != "ogel":
        return requires(name) or []
    extras = PROJECT["project"]["optional-dependencies"].items()
    of_extras = [f"{text.partition(';')[0]}; extra == {extra!r}" for extra, texts in extras for text in texts]
    return [*PROJECT["project"]["dependencies"], *of_extras]


def test_what_is_installed_without_asking_for_more_is_whole() -> None:
    assert needed(SHIPPED) - locked("requirements.lock") == set()
    assert needed({"test"}) - locked("requirements-dev.lock") == set()


def test_users_get_no_library_for_tests() -> None:
    assert locked("requirements.lock") & (FOR_TESTS | EXCLUDED) == set()


def test_locks_are_installed_as_they_are() -> None:
    """Else pip would look for what they leave out, and refuse it for want of a hash."""
    commands = [
        line
        for name in ("make/install.py", "Dockerfile")
        for line in (ROOT / name).read_text().splitlines()
        if re.search(r"-r requirements\.lock|\"-r\", lock\b", line)
    ]
    assert len(commands) == 2
    assert [line for line in commands if "--no-deps" not in line or "--require-hashes" not in line] == []


def test_the_clock_does_without_what_is_left_out() -> None:
    absent = "; ".join(f"sys.modules[{name!r}] = None" for name in sorted(EXCLUDED))
    code = f"import sys; {absent}; import rq_scheduler, ogel.adapters.rq_clock"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
