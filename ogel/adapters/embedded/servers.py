"""Runs both servers: one ogel per data directory, with nothing left running after it."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from ogel.adapters.embedded.binaries import find_postgres, find_redis
from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.postgres import Postgres
from ogel.adapters.embedded.record import load_record, password_file
from ogel.adapters.embedded.server import DiskFull, Interrupted, Server
from ogel.adapters.embedded.valkey import Valkey
from ogel.kernel.errors import ConfigError, OgelError

_STOP_TIMEOUT_SECONDS = 10.0
_KINDS: tuple[type[Server], ...] = (Postgres, Valkey)

log = structlog.get_logger()


def _never() -> bool:
    return False


class EmbeddedServers:
    """Made by `prepare` or `start`. Start from the main thread only: servers end with the thread that started them."""

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._servers: dict[str, Server] = {}
        self._owner = os.getpid()

    @classmethod
    def start(cls, data_dir: Path, *, interrupted: Interrupted = _never, **wanted: Any) -> Self:
        """`prepare`, and `run`. Whatever is raised, nothing is left running."""
        servers = cls.prepare(data_dir, **wanted)
        servers.run(interrupted)
        return servers

    @classmethod
    def prepare(
        cls,
        data_dir: Path,
        *,
        postgres: bool = True,
        redis: bool = True,
        postgres_bin: Path | None = None,
        redis_bin: Path | None = None,
    ) -> Self:
        """
        Ones that do not run yet, whose URLs and secrets are known. The directory is theirs from here on, until `stop`.
        `postgres_bin` is a directory, `redis_bin` a program; None: look.
        ConfigError: no such program; the directory is in use, not writable, or of another PostgreSQL version.
        """
        data = DataDir(data_dir)
        with _storage_faults_explained(data):
            servers = cls(data)
            try:
                data.lock()
                _end_stale(data)
                # Valkey first: it gets ready while initdb is busy.
                if redis:
                    servers._servers[Valkey.name] = Valkey(data, find_redis(redis_bin))
                if postgres:
                    servers._servers[Postgres.name] = Postgres(data, find_postgres(postgres_bin))
            except BaseException:
                servers.stop()
                raise
        return servers

    def run(self, interrupted: Interrupted) -> None:
        """
        Returns when they answer.
        CalledOff: while something was waited for, `interrupted` said so.
        ConfigError: see `prepare`. Unavailable: a server ended or hung while starting; the message has its last words.
        Whatever is raised, nothing is left running.
        """
        began = time.monotonic()
        with _storage_faults_explained(self._data):
            try:
                for server in self._servers.values():
                    server.launch(interrupted)
                for server in self._servers.values():
                    server.wait_ready(interrupted)
            except BaseException:
                self.stop()
                raise
        seconds = round(time.monotonic() - began, 3)
        log.info("embedded.started", data_dir=str(self._data.path), seconds=seconds, pids=self.pids)

    @property
    def database_url(self) -> str | None:
        """None once stopped, or when PostgreSQL was not asked for; `redis_url` likewise."""
        return self._url(Postgres.name)

    @property
    def redis_url(self) -> str | None:
        return self._url(Valkey.name)

    @property
    def pids(self) -> dict[str, int]:
        """Returns the pids of running servers by name, `postgres` and `redis`."""
        return {name: server.pid for name, server in self._servers.items() if server.pid is not None}

    def secret(self, name: str) -> str:
        """The secret kept under this name in the data directory; made at the first call."""
        with _storage_faults_explained(self._data):
            return self._data.secret(name)

    def running(self) -> list[Server]:
        """Returns the servers that were started and not stopped; one may have died since."""
        return [server for server in self._servers.values() if server.pid is not None or server.death]

    async def revive(self, server: Server, interrupted: Interrupted) -> None:
        """Starts one that died, on its port and data. Raises what `start` does; then nothing of it is left running."""
        with _storage_faults_explained(self._data):
            command, way = await asyncio.to_thread(server.prepare, interrupted)
            try:
                server.start(command, way)  # not in a thread that ends: it would take the server along
                await asyncio.to_thread(server.wait_ready, interrupted)
            except (OgelError, OSError):
                server.kill()
                raise

    def stop(self, timeout_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
        """Both at once; whoever needs longer than the timeout is killed. A second call does nothing."""
        if os.getpid() != self._owner:
            return  # A forked child is on its way out; the servers are its parent's.
        with ExitStack() as rest:  # Runs to its end whichever step fails, last entry first.
            rest.callback(self._data.unlock)
            servers = list(self._servers.values())
            self._servers.clear()
            deadline = time.monotonic() + timeout_seconds
            for server in servers:
                rest.callback(server.close)
                rest.callback(_wait_stopped, server, deadline)
            for server in servers:
                server.ask_to_stop()

    def stop_redis(self, timeout_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
        """`start_redis` brings it back with its port and data; likewise for PostgreSQL."""
        self._stop_one(Valkey.name, timeout_seconds)

    def start_redis(self) -> None:
        self._start_one(Valkey.name)

    def stop_postgres(self, timeout_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
        self._stop_one(Postgres.name, timeout_seconds)

    def start_postgres(self) -> None:
        self._start_one(Postgres.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _url(self, name: str) -> str | None:
        server = self._servers.get(name)
        return server.url if server else None

    def _stop_one(self, name: str, timeout_seconds: float) -> None:
        server = self._servers[name]
        server.ask_to_stop()
        _wait_stopped(server, time.monotonic() + timeout_seconds)

    def _start_one(self, name: str) -> None:
        server = self._servers[name]
        with _storage_faults_explained(self._data):
            server.launch(_never)
            server.wait_ready(_never)


def running_urls(data_dir: Path) -> tuple[str | None, str | None]:
    """(database_url, redis_url) of the servers an ogel runs in this directory now, for commands beside it."""
    data = DataDir(data_dir)
    with _storage_faults_explained(data):
        database_url, redis_url = (_running_url(data, kind) for kind in _KINDS)
    return database_url, redis_url


def kept_secret(data_dir: Path, name: str) -> str | None:
    """Returns the secret that `EmbeddedServers.secret` made there; None when there is none."""
    data = DataDir(data_dir)
    with _storage_faults_explained(data):
        return (data.read(name) or "").strip() or None


def stop_stale(data_dir: Path) -> None:
    """Ends what an ogel that is no more left running there; ConfigError when one is at work."""
    data = DataDir(data_dir)
    if not data.path.is_dir():
        return
    with _storage_faults_explained(data):
        data.lock()
        try:
            _end_stale(data)
        finally:
            data.unlock()


def _end_stale(data: DataDir) -> None:
    for kind in _KINDS:
        pid = kind.end_stale(data, _STOP_TIMEOUT_SECONDS)
        if pid is not None:
            log.warning("embedded.stale_server_ended", server=kind.name, pid=pid)


def _wait_stopped(server: Server, deadline: float) -> None:
    if server.wait_stopped(max(0.0, deadline - time.monotonic())):
        log.warning("embedded.server_killed", server=server.name)


def _running_url(data: DataDir, kind: type[Server]) -> str | None:
    record, password = load_record(data, kind.name), data.read(password_file(kind.name))
    if record is None or password is None or not record.runs(data):
        return None
    return kind.url_at(record.port, password.strip())


@contextmanager
def _storage_faults_explained(data: DataDir) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{error.strerror or error} ({error.filename})" if error.filename else str(error)
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else ConfigError
        raise kind(f"OGEL_DATA_DIR={data.path} cannot be used: {what}.") from error
