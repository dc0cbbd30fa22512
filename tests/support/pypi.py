"""Packages of PyPI that only one test needs, installed for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SECONDS = 100


def install(directory: Path, package: str) -> None:
    """`package` with its exact version and what it needs, in a directory for PYTHONPATH."""
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "install", *quiet, "--target", str(directory), package]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    assert finished.returncode == 0, finished.stdout + finished.stderr
