"""What is measured: servers of the benchmark's own, `ogel` processes on them, and what those cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ogel.adapters.embedded import EmbeddedServers
from tests.support.process import Ogel

# One event's `data`: 1 KiB of JSON.
EVENT_BYTES = 1024
DATA = {"text": "x" * (EVENT_BYTES - len('{"text":""}'))}
EVENT_TYPE = "bench.happened"
MOST_PER_REQUEST = 500


@dataclass(frozen=True)
class Trial:
    """A section's own directory, the Python whose `ogel` is measured, and whether a rough figure will do."""

    directory: Path
    python: str
    quick: bool

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        with EmbeddedServers.start(self.directory / "servers") as servers:
            assert servers.database_url is not None
            assert servers.redis_url is not None
            yield Machine(self, servers.database_url, servers.redis_url)

    def up(self) -> Ogel:
        """`ogel up`, as people start it; its data stays in the directory."""
        data = str(self.directory / "data")
        return Ogel("up", log=self.directory / "up.log", python=self.python, OGEL_DATA_DIR=data)


@dataclass(frozen=True)
class Machine:
    """One PostgreSQL and one Valkey for processes that are told where they are."""

    trial: Trial
    database_url: str
    redis_url: str

    def ogel(self, *arguments: str, **environment: str) -> Ogel:
        log = self.trial.directory / f"{'-'.join(arguments)}.log"
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        return Ogel(*arguments, log=log, python=self.trial.python, **urls, **environment)


def create_webhook(ogel: Ogel, port: int, events: str = "bench.*") -> Any:
    """An endpoint that wants the benchmark's events and takes as many at once as it may."""
    url = f"http://127.0.0.1:{port}/hook"
    return ogel.api.ok("POST", "/api/webhooks", {"url": url, "events": [events], "max_in_flight": 1000})


def publish(ogel: Ogel, events: int, type: str = EVENT_TYPE) -> None:
    """Over HTTP, in the largest batches it takes."""
    for start in range(0, events, MOST_PER_REQUEST):
        batch = [{"type": type, "data": DATA}] * min(MOST_PER_REQUEST, events - start)
        ogel.api.ok("POST", "/api/events", batch)


def pid_of(ogel: Ogel) -> int:
    assert ogel.process is not None
    return ogel.process.pid


def resident_megabytes(pid: int) -> float:
    """Of the process alone, not of the servers it started. Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kilobytes) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time so far: fields 14 and 15 of proc(5). Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
