"""Ogel as its users run it: processes started from the command line, spoken to over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ogel.environ import knobs
from tests.support.forking import Forked, can_fork

ADMIN_KEY = "test-admin-key-0123456789abcdef"
SECRET = "test-secret-0123456789abcdef-0123"
_PORTS = range(10_000, 32_768)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Client:
    """One request per call, on a connection of its own."""

    def __init__(self, port: int, key: str | None = ADMIN_KEY) -> None:
        self.port = port
        self._key = key

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = {"content-type": "application/json", **(headers or {})}
        if bearer := self._key if key is None else key:
            sent["authorization"] = f"Bearer {bearer}"
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=content, headers=sent)
            response = connection.getresponse()
            return Response(
                response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        response = self(method, path, body)
        assert 200 <= response.status < 300, f"{method} {path}: {response.status} {response.raw!r}"
        return response.json if response.raw else None


class Ogel:
    """
    `ogel …`, or another module that ends in it, as a process of its own. Leaving the block ends it, and fails when it
    did not end well. `fresh`: in an interpreter of its own, for tests of what is imported and of the start itself.
    """

    def __init__(
        self,
        *arguments: str,
        log: Path,
        python: str = sys.executable,
        module: str = "ogel",
        fresh: bool = False,
        **environment: str,
    ) -> None:
        self.command = [python, "-m", module, *arguments]
        self._arguments = arguments
        self.port = free_port()
        self.log = log
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_setting(name)},
            "PORT": str(self.port),
            "OGEL_HOST": "127.0.0.1",
            "OGEL_ADMIN_KEY": ADMIN_KEY,
            "OGEL_SECRET": SECRET,
            "OGEL_WEBHOOK_ALLOW_NETS": "127.0.0.0/8",
            **environment,
        }
        self._fresh = fresh or python != sys.executable or not can_fork(self.environment)
        self._module = module
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.api = Client(self.port)

    def start(self, ready_seconds: float = 30.0) -> Ogel:
        with self.log.open("ab") as log:
            if self._fresh:
                self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)
            else:
                files = log.fileno(), log.fileno()
                self.process = Forked(self._arguments, self.environment, *files, module=self._module)
        eventually(
            self._is_ready,
            ready_seconds,
            f"ogel {' '.join(self._arguments)} to be ready; see {self.log}",
        )
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, seconds: float = 45.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def log_text(self) -> str:
        return self.log.read_text()

    def __enter__(self) -> Ogel:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        if self.process.poll() == -signal.SIGKILL:
            return
        try:
            code = self.terminate()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if kind is None:
            assert code == 0, f"exit code {code}:\n{self.log_text()[-4000:]}"
        else:
            print(f"--- {self.log}\n{self.log_text()[-6000:]}")

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"exited with {self.process.returncode}:\n{self.log_text()[-4000:]}")
        try:
            return self.api("GET", "/health/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False


def free_port() -> int:
    """Below those the system gives to whoever connects, which would be taken again before it is listened on."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def eventually(ask: Callable[[], Value], seconds: float, what: str) -> Value:
    """The first truthy answer; for what another process does and no signal reaches us about."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return answer


def _is_setting(name: str) -> bool:
    known = {each for knob in knobs().values() for each in knob.names}
    return name in known or name.startswith(("OGEL_", "POSTGRES_", "PG", "REDIS_", "RAILWAY_"))
