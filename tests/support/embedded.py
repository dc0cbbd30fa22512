"""Looking at the processes of embedded servers from outside."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.process import describe

END_SECONDS = 15


def left_running(data_dir: Path) -> list[str]:
    """Command lines of all processes that work for this data directory."""
    marker = DataDir(data_dir).marker
    everyone = (describe(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [seen.command for seen in everyone if seen is not None and marker in seen.command]


def running_pid(data_dir: Path, server: str) -> int:
    pid = json.loads((data_dir / f"{server}.running.json").read_text())["pid"]
    assert isinstance(pid, int)
    return pid


def wait_ended(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], END_SECONDS)[0], f"{describe(pid)} still runs"
    finally:
        os.close(handle)
