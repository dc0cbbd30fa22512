"""The empty app on servers of the field, one process each: measures for what a request costs here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.world import HERE, Trial
from tests.support.process import Client, eventually, free_port

_APP = "bench.empty_app:app"
_UVICORN = ("uvicorn", _APP, "--host", "127.0.0.1", "--loop", "uvloop", "--no-access-log")
# A module and its arguments, without the port; hypercorn's is a part of its last one.
PEERS: dict[str, Sequence[str]] = {
    "hypercorn": ("hypercorn", _APP, "--worker-class", "uvloop"),
    "uvicorn, h11": (*_UVICORN, "--http", "h11"),
    "uvicorn, httptools": (*_UVICORN, "--http", "httptools"),
    "granian": ("granian", _APP, "--interface", "asgi", "--host", "127.0.0.1", "--no-ws", "--workers", "1"),
}
READY_SECONDS = 120.0


def is_there(python: str, name: str) -> bool:
    """Whether `make bench`, or whoever was before, has installed it."""
    if not Path(python).exists():
        return False
    command = [python, "-c", f"import {PEERS[name][0]}"]
    return subprocess.run(command, capture_output=True, timeout=READY_SECONDS).returncode == 0


@contextmanager
def running(trial: Trial, name: str) -> Iterator[tuple[int, int]]:
    """Yields the process and its port."""
    port = free_port()
    module, *arguments = PEERS[name]
    where = ["--bind", f"127.0.0.1:{port}"] if module == "hypercorn" else ["--port", str(port)]
    command = [trial.peers, "-m", module, *arguments, *where]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with (
        (trial.directory / "peer.log").open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            eventually(lambda: _answers(process, port), READY_SECONDS, f"{name}; see {log.name}")
            yield process.pid, port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"an empty app's server ended with {process.returncode}")
    try:
        return Client(port, key=None)("GET", "/").status == 200
    except OSError:
        return False
