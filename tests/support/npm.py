"""Packages of npm, installed for a test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SECONDS = 100


def needs_npm(package: str) -> pytest.MarkDecorator:
    """Skips a test where there is no npm, and says what is not tried."""
    missing = shutil.which("npm") is None
    return pytest.mark.skipif(missing, reason=f"npm is not installed: {package} is not tried")


def install(directory: Path, package: str) -> None:
    """`package` with its exact version, in a directory of its own and without a lock file."""
    (directory / "package.json").write_text('{"type": "module", "private": true}')
    quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    command = ["npm", "install", *quiet, package]
    finished = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=_SECONDS)
    assert finished.returncode == 0, finished.stdout + finished.stderr
