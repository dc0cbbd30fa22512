"""Creates a PostgreSQL data directory completely, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.privileges import Probe
from ogel.adapters.embedded.process import spawn
from ogel.adapters.embedded.server import CalledOff, Interrupted, explain
from ogel.kernel.errors import Unavailable

_PREFIX = "initdb-"
_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.01
# Sorting by code point, the same on every machine. macOS has no C.UTF-8 of its own.
_LOCALE = ("--locale=C.UTF-8",) if sys.platform == "linux" else ("--locale=en_US.UTF-8", "--lc-collate=C")


def make_cluster(
    data: DataDir,
    target: Path,
    initdb: Path,
    probed: Probe,
    user: str,
    password: str,
    interrupted: Interrupted,
) -> None:
    """
    Raises ConfigError or Unavailable with what initdb said last, CalledOff once `interrupted`; then `target` does not
    exist.
    """
    work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=data.path))
    try:
        password_file, made = work / "password", work / "cluster"
        password_file.write_text(password + "\n")
        probed.own(work)
        command = [
            str(initdb),
            f"--pgdata={made}",
            f"--username={user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *_LOCALE,
            "--no-instructions",
        ]
        _run(data, command, probed, interrupted)
        made.rename(target)
        _sync(data.path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_unfinished(data: DataDir) -> None:
    """Deletes what interrupted starts left, as far as possible: an initdb that is still ending may be writing there."""
    for unfinished in data.path.glob(f"{_PREFIX}*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(data: DataDir, command: list[str], probed: Probe, interrupted: Interrupted) -> None:
    with tempfile.TemporaryFile() as output:
        process = spawn(command, way=probed.way, death_signal=signal.SIGTERM, output=output.fileno())
        try:
            code = _wait(process, interrupted)
        except BaseException:
            # The group, of which spawn made it leader: initdb has children.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_TIMEOUT_SECONDS)
            raise
        if code != 0:
            output.seek(0)
            lines = [
                line.strip() for line in output.read().decode(errors="replace").splitlines() if line.strip()
            ]
            raise explain(f"initdb failed, exit code {code}", lines, data)


def _wait(process: subprocess.Popen[bytes], interrupted: Interrupted) -> int:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            return process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if interrupted():
                raise CalledOff from None
            if time.monotonic() > deadline:
                raise Unavailable(f"initdb did not finish within {_TIMEOUT_SECONDS:.0f} seconds.") from None


def _sync(directory: Path) -> None:
    """Makes the renaming itself survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
