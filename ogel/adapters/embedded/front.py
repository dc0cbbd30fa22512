"""The HTTP address of the `ogel up` of a data directory, recorded for commands on the same machine."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.process import Identity, describe
from ogel.kernel.clock import rfc3339, utc_now

_FILE = "http.running.json"


class Front(Struct, frozen=True):
    """`runs` no more: it was killed, for one that ends takes the note away."""

    url: str
    pid: int
    since: datetime
    runs: bool


def announce(data_dir: Path, url: str) -> None:
    seen = describe(os.getpid())
    started = "" if seen is None else seen.identity.started
    note = {"url": url, "pid": os.getpid(), "started": started, "since": rfc3339(utc_now())}
    DataDir(data_dir).write(_FILE, json.dumps(note) + "\n")


def retract(data_dir: Path) -> None:
    DataDir(data_dir).remove(_FILE)


def announced(data_dir: Path) -> Front | None:
    """Returns the record; None when no `ogel up` runs, or it is not ready yet, or the file is unreadable."""
    try:
        note = json.loads(DataDir(data_dir).read(_FILE) or "")
        process, since = (
            Identity(int(note["pid"]), str(note["started"])),
            datetime.fromisoformat(note["since"]),
        )
        url = str(note["url"])
    except (ValueError, KeyError, TypeError):
        return None
    seen = describe(process.pid)
    return Front(url, process.pid, since, runs=seen is not None and seen.identity == process)
