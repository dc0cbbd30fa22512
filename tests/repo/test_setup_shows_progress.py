"""`make setup` on a slow line: something moves every few seconds, on a terminal and elsewhere; errors are whole."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.support.on_terminal import OnTerminal

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "make" / "install.py"
PIP = """#!/bin/sh
case "$*" in
  *" -e "*) echo "Obtaining file:///somewhere/ogel";;
  *requirements-build.lock*) echo "Requirement already satisfied: setuptools==84.2.1 in here";;
  *)
    echo "Ignoring async-timeout: markers do not match your environment"
    echo "Collecting slow==1.2.3 (from -r requirements-dev.lock (line 1))"
    echo "  Downloading slow-1.2.3-py3-none-any.whl (13.6 MB)"
    sleep 0.6
    echo "Processing /wheels/near_by-4.5-py3-none-any.whl (from -r requirements-dev.lock (line 3))"
    echo "Installing collected packages: slow, near-by"
    ;;
esac
"""
BROKEN = "#!/bin/sh\necho 'Collecting slow==1'\necho 'ERROR: No matching distribution found for slow==1' >&2\nexit 7\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements-build.lock").write_text("setuptools==84.2.1 \\\n    --hash=sha256:0\n")
    lock = "async-timeout==1 ; python_version < '3' \\\n    --hash=sha256:0\nslow==1.2.3\nnear-by==4.5\n"
    (tmp_path / "requirements-dev.lock").write_text(lock)
    python = tmp_path / "python"
    python.write_text(PIP)
    python.chmod(0o755)
    return tmp_path


def install(at: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(INSTALL), str(at / "python"), "requirements-dev.lock"]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=60)


def test_elsewhere_each_package_has_a_line_that_can_be_read(project: Path) -> None:
    finished = install(project)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = [re.sub(r"  \d+ s$", "", line) for line in finished.stdout.splitlines()]
    assert lines[:-1] == [
        "[1/5] setuptools 84.2.1",
        "[2/5] async-timeout",
        "[3/5] slow 1.2.3",
        "[3/5] slow 1.2.3, 13.6 MB",
        "[4/5] near_by 4.5",
        "[4/5] all there; installing them",
        "[5/5] this project",
    ]
    assert lines[-1].startswith("installed in ")


def test_something_moves_while_nothing_happens(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(INSTALL))
    main = script["main"]
    before = os.getcwd()
    os.chdir(project)
    try:
        with (
            mock.patch.dict(main.__globals__, {"BEAT_SECONDS": 0.05}),
            mock.patch.object(sys, "argv", ["install.py", str(project / "python"), "requirements-dev.lock"]),
        ):
            assert main() == 0
    finally:
        os.chdir(before)
    assert capsys.readouterr().out.count("[3/5] slow 1.2.3, 13.6 MB") > 3


def test_a_terminal_has_one_line_that_is_written_over(project: Path) -> None:
    command = [
        "sh",
        "-c",
        f"cd {project} && exec {sys.executable} {INSTALL} {project}/python requirements-dev.lock",
    ]
    with OnTerminal(command, {}) as terminal:
        written = terminal.end()
    assert written.count("\n") == 1 and written.rstrip().rpartition("\x1b[K")[2].startswith("installed in ")
    assert "\r\x1b[K[3/5] slow 1.2.3, 13.6 MB  0 s" in written


def test_what_pip_says_of_a_failure_is_shown(project: Path) -> None:
    (project / "python").write_text(BROKEN)
    finished = install(project)
    assert finished.returncode == 7
    assert "ERROR: No matching distribution found for slow==1" in finished.stderr


def test_nothing_is_said_when_nothing_is_to_be_done(tmp_path: Path) -> None:
    """Of a copy of the Makefile, whose stamp is newer than what it was made of."""
    for name in ("Makefile", "requirements-dev.lock", "requirements-build.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    finished = subprocess.run(
        ["make", "-C", str(tmp_path), "--no-print-directory", "-s", "setup"], capture_output=True, text=True
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
