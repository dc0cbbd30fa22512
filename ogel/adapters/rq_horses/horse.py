"""
The work-horse: a forked process that calls one function within its limits, tells its answer, and ends.

Imports the standard library only; what the function needs, it imports itself.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
# Prepared in advance, for a process without memory left to compose it.
OUT_OF_MEMORY = b'{"out_of_memory": true}'
MOST_ERROR_CHARACTERS = 500
# The largest result that the queue keeps; see runtime/jobs/job.py, which is too large to import here.
MOST_RESULT_BYTES = 64 * 1024
# Seconds beyond its time, in case the helper, which enforces that time, is gone and the kernel sent no signal.
ORPHAN_SECONDS = 5


def run(payload: Any, kind: dict[str, Any], answer_to: int, helper_pid: int) -> NoReturn:
    """Runs in the child process and never returns to the code that it was forked from."""
    code = 1
    try:
        die_with(helper_pid, signal.SIGKILL)
        _behave(kind)
        answer = memoryview(_answer(kind["target"], payload))
        while answer:
            answer = answer[os.write(answer_to, answer) :]
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        code = 0
    finally:
        os._exit(code)


def die_with(parent_pid: int, number: signal.Signals) -> None:
    """Asks Linux for a signal when our parent ends. On other systems an orphan ends with its time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before we asked to hear of it
        os._exit(1)


def _behave(kind: dict[str, Any]) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the helper's lifeline is not ours to read
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGXCPU, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.alarm(int(kind["seconds"]) + ORPHAN_SECONDS)
    _limit(resource.RLIMIT_CORE, 0, 0)
    # A function that survives the first signal does not survive the second.
    _limit(resource.RLIMIT_CPU, kind["cpu_seconds"], kind["cpu_seconds"] + 1)
    _limit(resource.RLIMIT_DATA, kind["megabytes"] * 1_000_000, kind["megabytes"] * 1_000_000)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Sets a limit, never above the one that we inherited."""
    _, allowed = resource.getrlimit(kind)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))


def _answer(target: str, payload: Any) -> bytes:
    try:
        module, _, function = target.partition(":")
        value = getattr(importlib.import_module(module), function)(payload)
        text = json.dumps({"value": value}, allow_nan=False)
        if r"\u0000" in text.replace(r"\\", ""):
            raise ValueError("its result has a NUL character, which cannot be stored")
        return text.encode()
    except MemoryError:
        return OUT_OF_MEMORY
    except BaseException as error:  # noqa: BLE001 - SystemExit too: however it ends, someone waits to hear of it
        try:
            text = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - an error whose text cannot be had still has a name
            text = type(error).__name__
        return json.dumps({"error": text[:MOST_ERROR_CHARACTERS]}).encode()
