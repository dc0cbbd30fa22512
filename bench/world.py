"""What is measured: servers of the benchmark's own, `ogel` processes on them, and what those cost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg

from ogel.adapters.embedded import EmbeddedServers
from tests.support.process import Ogel, eventually

HERE = Path(__file__).parents[1]

# One event's `data`: 1 KiB of JSON.
EVENT_BYTES = 1024
DATA = {"text": "x" * (EVENT_BYTES - len('{"text":""}'))}
EVENT_TYPE = "bench.happened"
MOST_PER_REQUEST = 500
READY_SECONDS = 120.0
_EMPTY = b"SELECT NOT EXISTS (SELECT FROM job_queue WHERE queue_name = 'webhooks')"


class Patient(Ogel):
    """A busy machine makes figures worthless, and is no reason to fail."""

    def __enter__(self) -> Ogel:
        return self.start(READY_SECONDS)


@dataclass(frozen=True)
class Trial:
    """
    directory   the section's own.
    python      whose libraries `ogel` runs with.
    quick       a rough figure will do.
    code        the checkout whose `ogel` is measured; the benchmark itself is always this one.
    jobs        how many `memory` performs; None: as many as it does by itself.
    peers       a Python that has the servers an empty app is measured on.
    """

    directory: Path
    python: str
    quick: bool
    code: Path = HERE
    jobs: int | None = None
    peers: str = "build/peers/bin/python"

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """Each has empty servers of its own."""
        with EmbeddedServers.start(Path(mkdtemp(prefix="servers-", dir=self.directory))) as servers:
            assert servers.database_url is not None
            assert servers.redis_url is not None
            yield Machine(self, servers.database_url, servers.redis_url, servers.pids)

    def up(self) -> Ogel:
        """`ogel up`, as people start it; its data stays in the directory."""
        data = str(self.directory / "data")
        log = self.directory / "up.log"
        return Patient("up", log=log, python=self.python, OGEL_DATA_DIR=data, **self.code_first)

    @property
    def code_first(self) -> Mapping[str, str]:
        """Environment in which `import ogel` finds that checkout, whatever the working directory and Python hold."""
        return {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(self.code)}


@dataclass(frozen=True)
class Machine:
    """One PostgreSQL and one Valkey for processes that are told where they are."""

    trial: Trial
    database_url: str
    redis_url: str
    server_pids: Mapping[str, int]
    """Of `postgres` and `redis`."""

    def ogel(self, *arguments: str, module: str = "ogel", **environment: str) -> Ogel:
        log = self.trial.directory / f"{'-'.join(arguments)}.log"
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        known = {**urls, **self.trial.code_first, **environment}
        return Patient(*arguments, log=log, python=self.trial.python, module=module, **known)

    def until_delivered(self, seconds: float) -> None:
        """Until no webhook waits; raises AssertionError when that takes longer."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            eventually(lambda: _is_true(connection, _EMPTY), seconds, "what was published to be delivered")

    def forget_jobs(self) -> None:
        """Those that were published for nobody."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("DELETE FROM job_queue WHERE queue_name = 'webhooks'")


def create_webhook(
    ogel: Ogel, port: int, events: str = "bench.*", path: str = "/hook", in_flight: int | None = 1000
) -> Any:
    """An endpoint that wants the benchmark's events and takes as many at once as it may; None: as is usual."""
    wanted: dict[str, Any] = {"url": f"http://127.0.0.1:{port}{path}", "events": [events]}
    if in_flight is not None:
        wanted["max_in_flight"] = in_flight
    return ogel.api.ok("POST", "/api/webhooks", wanted)


def create_key(ogel: Ogel, scopes: Sequence[str]) -> str:
    """A key as users have: unlike the admin key, it is looked up."""
    named = [part for scope in scopes for part in ("--scope", scope)]
    command = [ogel.command[0], "-m", "ogel", "keys", "create", "bench", "--json", *named]
    done = subprocess.run(command, env=ogel.environment, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"no key: {done.stderr}")
    key: str = json.loads(done.stdout)["key"]
    return key


def publish(ogel: Ogel, events: int, type: str = EVENT_TYPE) -> None:
    """Over HTTP, in the largest batches it takes."""
    for start in range(0, events, MOST_PER_REQUEST):
        batch = [{"type": type, "data": DATA}] * min(MOST_PER_REQUEST, events - start)
        ogel.api.ok("POST", "/api/events", batch)


def _is_true(connection: psycopg.Connection[tuple[object, ...]], query: bytes) -> bool:
    row = connection.execute(query).fetchone()
    return row is not None and row[0] is True


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


def cpu_of_tree(root: int) -> float:
    """Of a process, its descendants, and those of them that have ended and been waited for. Linux only."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since it was listed, and is in its parent's times
        pid = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        spent[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, wanted = 0.0, [root]
    while wanted:
        pid = wanted.pop()
        total += spent.get(pid, 0.0)
        wanted += children.get(pid, [])
    return total


def path_of_an_event(ogel: Ogel) -> str:
    """To be read by its id; it is published for that."""
    publish(ogel, 1)
    return f"/api/events/{ogel.api.ok('GET', '/api/events?limit=1')['items'][0]['id']}"
