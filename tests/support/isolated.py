"""What isolated jobs do in tests, and how these look at it. Their processes import this file: standard library only."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

Payload = dict[str, Any]


def echo(payload: Payload) -> Payload:
    print("heard by nobody")
    return payload


def surroundings(payload: Payload) -> Payload:
    """What a job can see of the worker."""
    return {
        "environment": sorted(os.environ),
        "input": sys.stdin.read(),
        "threads": len(sys._current_frames()),
    }


def fail(payload: Payload) -> None:
    raise ValueError("no \0 luck \ud800")


def leave(payload: Payload) -> None:
    os._exit(3)


def exit_politely(payload: Payload) -> None:
    sys.exit("enough")


def shoot_itself(payload: Payload) -> None:
    os.kill(os.getpid(), getattr(signal, payload["signal"]))
    time.sleep(60)


def take_memory(payload: Payload) -> int:
    return len(bytearray(1024 * 1024 * 1024))


def creep(payload: Payload) -> None:
    """Memory in many small pieces, none of which is large."""
    pieces = []
    while True:
        pieces.append([0] * 1000)


def take_processor(payload: Payload) -> None:
    while True:
        pass


def take_processor_stubbornly(payload: Payload) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    take_processor(payload)


def take_time(payload: Payload) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        with suppress(BaseException):
            time.sleep(60)


def answer_with(payload: Payload) -> object:
    return {"set": {1}, "large": "x" * 3_000_000, "nan": float("nan"), "nul": "\\\0"}[payload["what"]]


def hold(payload: Payload) -> None:
    """Notes when it was alive, until a file says to end or for the seconds given: "<pid> <began> <last seen>"."""
    directory = Path(payload["directory"])
    began, mine = time.monotonic(), directory / f"{os.getpid()}.alive"
    while not (directory / "end").exists() and time.monotonic() < began + payload.get("seconds", 60):
        written = mine.with_suffix(".new")
        written.write_text(f"{os.getpid()} {began} {time.monotonic()}")
        written.replace(mine)
        time.sleep(0.02)


def leave_a_child(payload: Payload) -> int:
    """A process that would outlive its job."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    return child


def lives(directory: Path) -> dict[int, tuple[float, float]]:
    """By pid of each that held, when it began and when it was last alive."""
    notes = (path.read_text().split() for path in directory.glob("*.alive"))
    return {int(pid): (float(began), float(seen)) for pid, began, seen in notes}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
