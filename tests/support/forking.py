"""
`ogel …` without the wait for its imports: a process that has imported all of Ogel forks one per command.

Importing takes 0.7 s of CPU and a fork 0.02 s, and tests start Ogel hundreds of times. What runs is the same:
`python -m ogel` with arguments, an environment, a directory and open files of its own, a process that can be killed.
Tests whose subject is the start itself ask for a fresh interpreter.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_START_SECONDS = 60.0
_SERVER = "tests.support.forking_server"
ROOT = Path(__file__).parents[2]


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether Python, once started, need not begin anew for what this environment asks of it."""
    ours = ("PYTHON", "LANG", "LC_")
    changed = {name for name, _ in environment.items() ^ os.environ.items()}
    return sys.platform == "linux" and not any(name.startswith(ours) for name in changed)


class Forked:
    """What subprocess.Popen is, for a process whose parent is the one that forks."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: int,
        errors: int,
        at: Path | None = None,
        module: str = "ogel",
    ) -> None:
        """`python -m MODULE` with these arguments, writing into these open files, and nothing to read."""
        self.args = [module, *arguments]
        self.returncode: int | None = None
        wanted = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "at": str(at or Path.cwd()),
        }
        self._said = _server().connect()
        with open(os.devnull, "rb") as nothing:
            socket.send_fds(self._said, [json.dumps(wanted).encode()], [nothing.fileno(), output, errors])
        pid = self._hear(_START_SECONDS)
        assert pid is not None, "no process was forked in time"
        self.pid = pid

    def poll(self) -> int | None:
        return self.returncode if self.returncode is not None else self._ended(0)

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        code = self.returncode if self.returncode is not None else self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float) -> int | None:
        self.returncode = self._hear(seconds)
        if self.returncode is not None:
            self._said.close()
        return self.returncode

    def _hear(self, seconds: float) -> int | None:
        """The next number that is said; None if there is none in time."""
        self._said.settimeout(seconds)
        try:
            said = self._said.recv(16)
        except (BlockingIOError, TimeoutError):
            return None
        assert said, "the process that forks has ended"
        return int(said)


def on_path() -> Path:
    """The directory of an `ogel` for shells, and of a `python` that knows `-c PROGRAM` alone."""
    return _server().directory


def install(program: Path, module: str) -> None:
    """Makes `program` the command of a module that ends in `ogel`."""
    _server().install(program, module)


# In front of the terminal instead of the one that is forked, which gets its files and the signals that end things.
_PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, sys
said = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
said.connect({address!r})
wanted = {{"module": {module!r}, "arguments": sys.argv[{first}:], "environment": dict(os.environ), "at": os.getcwd()}}
socket.send_fds(said, [json.dumps(wanted).encode()], [0, 1, 2])
pid = int(said.recv(16))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(said.recv(16))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class _Server:
    """It ends, and its directory with it, when its standard input is closed, and so with whoever started it."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ogel-fork-"))
        self.address = str(self.directory / "socket")
        self.install(self.directory / "ogel", "ogel")
        self.install(self.directory / "python", "-c", first=2)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.address)
            listener.listen(64)
            command = [sys.executable, "-m", _SERVER, str(listener.fileno()), str(self.directory)]
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
            )

    def install(self, program: Path, module: str, first: int = 1) -> None:
        """`first`: of its arguments those from there on are the module's."""
        own = {"python": sys.executable, "address": self.address, "module": module, "first": first}
        program.write_text(_PROGRAM.format(**own))
        program.chmod(0o755)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self.address)
        return connection

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_START_SECONDS)


_started: list[_Server] = []
_starting = threading.Lock()


def _server() -> _Server:
    """One per process that runs tests, from the first that asks until the end."""
    with _starting:
        if not _started:
            _started.append(_Server())
            atexit.register(_started[0].end)
    return _started[0]
