"""One server as our child: start, readiness, stop, and what an earlier ogel left of it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.process import describe, end, spawn, with_command
from ogel.adapters.embedded.record import Record, load_record, password_file, remove_record, save_record
from ogel.kernel.errors import ConfigError, OgelError, Unavailable

HOST = "127.0.0.1"
# Long enough to replay a write-ahead log after a crash.
_READY_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.01
_KILL_TIMEOUT_SECONDS = 5.0
_ORPHANS_TIMEOUT_SECONDS = 5.0
_TAIL_LINES = 5
_TAIL_BYTES = 8192
# What a server writes when the directory, not the server, is at fault; its messages are in the C locale.
_FULL = [
    *(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT)),
    "Check free disk space",  # PostgreSQL's hint after a write that was cut short without an error code.
]
_FULL_BYTES = 1024 * 1024
_STORAGE_FAULTS = [*_FULL, *(os.strerror(code) for code in (errno.EROFS, errno.EACCES))]


# Asked while something is waited for: whether to give it up.
Interrupted = Callable[[], bool]


class CalledOff(Exception):
    """The start was cancelled on request."""


class DiskFull(ConfigError):
    """The disk is full, and nothing else is wrong."""


class Server(ABC):
    """
    Starts again with the same port and data after a stop; the port is another one in each run of ogel.
    `command_pattern` is found in the command line of each of its processes, with the directory's marker put in.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    orphans_signal: ClassVar[signal.Signals]
    command_pattern: ClassVar[str]

    def __init__(self, data: DataDir) -> None:
        self.data = data
        self.password = data.secret(password_file(self.name))
        self.port, self._reservation = _reserve_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path: Path | None = None
        self._log_start = 0

    @classmethod
    @abstractmethod
    def url_at(cls, port: int, password: str) -> str:
        """Returns the URL that clients connect to."""

    @abstractmethod
    def prepare(self, interrupted: Interrupted) -> tuple[list[str], str]:
        """
        Prepares the data. Returns the command line and the way to run it (privileges.py). After the first start it may
        be called from any thread.
        """

    @abstractmethod
    def answers(self) -> bool:
        """
        Tries a client's handshake once. Returns False when the server is not ready yet; raises OgelError when it never
        will be.
        """

    @property
    def url(self) -> str:
        return self.url_at(self.port, self.password)

    @property
    def pid(self) -> int | None:
        """None also when it has ended by itself."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def has_run(self) -> bool:
        """Whether it was started in this run of ogel."""
        return self.log_path is not None

    @property
    def death(self) -> str | None:
        """Returns how it ended unexpectedly; None while it runs, or when it was stopped."""
        code = self._process.poll() if self._process else None
        return None if code is None else _exit_text(code)

    def launch(self, interrupted: Interrupted) -> None:
        """Only starts the process, so that several servers can start in parallel; `wait_ready` must follow."""
        if self.pid is None:
            self.start(*self.prepare(interrupted))

    def start(self, command: list[str], way: str) -> None:
        """Starts with the result of `prepare`; on the main thread."""
        self.log_path, output = self.data.open_log(f"{self.name}.log")
        try:
            self._log_start = os.fstat(output).st_size
            self._process = spawn(command, way=way, death_signal=self.stop_signal, output=output)
        finally:
            os.close(output)
        seen = describe(self._process.pid)
        if seen is not None:
            save_record(self.data, self.name, Record(seen.identity, self.port))

    def wait_ready(self, interrupted: Interrupted) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        while not self.answers():
            try:
                code = self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if interrupted():
                    raise CalledOff from None
                if time.monotonic() > deadline:
                    raise self.failure(f"not ready after {_READY_TIMEOUT_SECONDS:.0f} seconds") from None
            else:
                raise self.failure(f"ended while starting, {_exit_text(code)}")

    def kill(self) -> None:
        """Kills the server, which recovers at its next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_KILL_TIMEOUT_SECONDS)

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.stop_signal)

    def wait_stopped(self, timeout_seconds: float) -> bool:
        """Waits for its end, and kills it after the timeout. Returns whether that was needed."""
        if self._process is None:
            return False
        killed = False
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            killed = True
            self._process.kill()
            self._process.wait(_KILL_TIMEOUT_SECONDS)
        self._process = None
        remove_record(self.data, self.name)
        if killed:
            self.end_orphans(self.data)
        return killed

    def close(self) -> None:
        """Releases the port; the server must have been stopped before."""
        if self._reservation is not None:
            self._reservation.close()

    def failure(self, what: str) -> OgelError:
        """An error of one line, with the last lines that the server wrote since it was launched."""
        tail = _tail(self.log_path, self._log_start) if self.log_path else []
        return explain(f"{self.title} {what}", tail, self.data)

    @classmethod
    def end_stale(cls, data: DataDir, timeout_seconds: float) -> int | None:
        """Ends the server that a dead ogel left running, and returns its pid. The directory must be locked."""
        found = load_record(data, cls.name)
        ended = found.process if found is not None and found.runs(data) else None
        if ended is not None:
            end(ended, data.marker, cls.stop_signal, timeout_seconds)
        cls.end_orphans(data)
        remove_record(data, cls.name)
        return ended.pid if ended else None

    @classmethod
    def end_orphans(cls, data: DataDir) -> None:
        """Ends child processes that a dead server left, and a server that an ogel died too early to record."""
        for orphan in with_command(cls.command_pattern.format(marker=data.marker)):
            end(orphan, data.marker, cls.orphans_signal, _ORPHANS_TIMEOUT_SECONDS)


def explain(what: str, lines: list[str], data: DataDir) -> OgelError:
    """ConfigError when a line that a program wrote blames the disk, else Unavailable with its last lines."""
    blaming = [line for line in lines if any(fault in line for fault in _STORAGE_FAULTS)]
    # On a full disk there is no room for what a program writes about it, either.
    full = _is_full(data.path) or any(fault in line for line in blaming for fault in _FULL)
    said = blaming[0] if blaming else " | ".join(lines[-_TAIL_LINES:]) or "it wrote nothing"
    if full or blaming:
        kind = DiskFull if full else ConfigError
        return kind(f"{what}; OGEL_DATA_DIR={data.path} is full or not writable: {said}")
    return Unavailable(f"{what}: {said}")


def _is_full(directory: Path) -> bool:
    try:
        return shutil.disk_usage(directory).free < _FULL_BYTES
    except OSError:
        return False


def _reserve_port() -> tuple[int, socket.socket | None]:
    """
    A free port, and on Linux the socket that keeps it ours while no server listens: bound but not listening,
    it refuses clients, keeps the kernel from handing the port out, and lets a server with SO_REUSEADDR in.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind((HOST, 0))
    port: int = reservation.getsockname()[1]
    if sys.platform == "linux":
        return port, reservation
    reservation.close()
    return port, None


def _tail(log: Path, start: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL_BYTES))
        text = file.read(_TAIL_BYTES).decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
