"""Starts, recognises and ends processes that may outlive the ogel which started them."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ogel.adapters.embedded import launch
from ogel.kernel.errors import Unavailable

# Nothing of the caller's environment: PG* and LD_* variables would change how a server runs.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_KILL_TIMEOUT_SECONDS = 5.0
_PS_TIMEOUT_SECONDS = 5.0


def command_line(command: list[str], *, way: str, death_signal: int = signal.SIGTERM) -> list[str]:
    """`command` as started by launch.py. `-I -S` keep that interpreter small: 10 ms."""
    script = str(Path(launch.__file__).absolute())
    return [sys.executable, "-I", "-S", script, str(os.getpid()), str(int(death_signal)), way, *command]


def spawn(
    command: list[str], *, way: str, death_signal: signal.Signals, output: int
) -> subprocess.Popen[bytes]:
    """Starts a child that ends when we do, in its own session: Ctrl-C in a terminal is for us to answer."""
    if threading.current_thread() is not threading.main_thread():
        # The kernel's notice of a parent's death is about the thread that forked, not the process (prctl(2)).
        raise RuntimeError(
            "start embedded servers from the main thread: they end with the thread that starts them"
        )
    return subprocess.Popen(
        command_line(command, way=way, death_signal=death_signal),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=ENVIRONMENT,
        start_new_session=True,
    )


class Identity(Struct, frozen=True):
    """A process, told from a later one with the same pid by its start, in whatever unit the system has."""

    pid: int
    started: str


class ProcessInfo(Struct, frozen=True):
    identity: Identity
    command: str


def is_running(process: Identity, marker: str) -> bool:
    """False once it has ended, and for a process without `marker` in its command line: that is not ours."""
    seen = describe(process.pid)
    # A command line is empty while the process is between two programs (inside execve).
    return seen is not None and seen.identity == process and (marker in seen.command or not seen.command)


def describe(pid: int) -> ProcessInfo | None:
    """
    None once it has ended, also while its parent has yet to take note, which the first process of a container may
    never do. None, too, of another user's process where /proc hides those: it is none of ours.
    """
    if sys.platform != "linux":
        return _ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # Fields 3 and 22 of proc(5), counted behind the name, which may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return ProcessInfo(Identity(pid, fields[19]), command.replace(b"\0", b" ").decode(errors="replace"))


def _ps(pid: int) -> ProcessInfo | None:
    answer = subprocess.run(
        ["ps", "-ww", "-o", "state=,lstart=,command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=_PS_TIMEOUT_SECONDS,
        check=False,
    )
    state, _, rest = answer.stdout.strip().partition(" ")
    if not rest or state.startswith("Z"):
        return None
    # `lstart` is always 24 characters: "Mon Nov 23 08:14:00 2026".
    rest = rest.lstrip()
    return ProcessInfo(Identity(pid, rest[:24]), rest[24:].lstrip())


def with_command(pattern: str) -> list[Identity]:
    """Finds all processes whose command line contains the pattern. On Linux only; elsewhere it finds none."""
    if sys.platform != "linux" or not os.path.isdir("/proc"):
        return []
    found = (
        describe(int(entry)) for entry in os.listdir("/proc") if entry.isdigit() and _says(entry, pattern)
    )
    return [seen.identity for seen in found if seen is not None and re.search(pattern, seen.command)]


def _says(pid: str, pattern: str) -> bool:
    """A quick look, for there may be hundreds of them."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return re.search(pattern, command.replace(b"\0", b" ").decode(errors="replace")) is not None


def works_in(pid: int, directory: Path) -> bool:
    """Whether a PostgreSQL server lives in that directory under that pid: there it has its working directory."""
    seen = describe(pid)
    if seen is None or not re.search(r"(^|/)postgres(:| |$)", seen.command):
        return False
    if sys.platform != "linux":
        return str(directory) in seen.command
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:  # It has ended, or is another user's.
        return False


def end(process: Identity, marker: str, stop_signal: signal.Signals, timeout_seconds: float) -> None:
    """Ends a process that is not our child: SIGTERM, a wait, SIGKILL. Does nothing once another process has the pid."""
    for step, limit in ((stop_signal, timeout_seconds), (signal.SIGKILL, _KILL_TIMEOUT_SECONDS)):
        if _signal_and_wait(process, marker, step, limit):
            return
    raise Unavailable(f"Process {process.pid} of an earlier run of ogel does not end, even after SIGKILL.")


def _signal_and_wait(process: Identity, marker: str, number: signal.Signals, limit_seconds: float) -> bool:
    """Returns whether the process has ended within the limit."""
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return True
        except OSError:  # An old kernel or a container's seccomp profile does without pidfds.
            return _signal_and_poll(process, marker, number, limit_seconds)
        try:
            # The handle stays with whoever has the pid now: if that is ours, no other can be hit.
            if not is_running(process, marker):
                return True
            signal.pidfd_send_signal(handle, number)
            watch = select.poll()
            watch.register(handle, select.POLLIN)
            return bool(watch.poll(limit_seconds * 1000))
        except ProcessLookupError:
            return True
        finally:
            os.close(handle)
    return _signal_and_poll(process, marker, number, limit_seconds)


def _signal_and_poll(process: Identity, marker: str, number: signal.Signals, limit_seconds: float) -> bool:
    """For systems without pidfd, where the end of a process that is not a child can only be polled."""
    with suppress(ProcessLookupError):
        if is_running(process, marker):
            os.kill(process.pid, number)
    deadline = time.monotonic() + limit_seconds
    while is_running(process, marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
