"""The process that forks; see forking.py. Given the descriptor of a socket to listen on, it ends with its input."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Literal, TextIO

import ogel

_LARGEST_BYTES = 200_000
_SECONDS = 5.0


@dataclass
class Wanted:
    """
    One process: of a module, or, when that is "-c", of the text that its first argument is. `files` are to be its first
    three; `says` tells who asked its pid, and later how it ended.
    """

    module: str
    arguments: list[str]
    environment: dict[str, str]
    at: str
    files: list[int]
    says: socket.socket


def import_everything() -> None:
    """No module of ours does more than define when it is imported, so that none of this is seen in a child."""
    for module in pkgutil.walk_packages(ogel.__path__, "ogel."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    importlib.import_module("uvloop")
    assert threading.active_count() == 1, "threads do not survive a fork"
    gc.collect()
    gc.freeze()


def serve(listener: socket.socket) -> Wanted | None:
    """Returns in each child with what it is to be, and None in the parent once its input has ended."""
    woken, wakes = socket.socketpair()
    woken.setblocking(False)
    wakes.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno())
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for each in (sys.stdin, listener, woken):
            selector.register(each, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if sys.stdin in ready:
                return None
            if woken in ready:
                woken.recv(4096)
                _bury(running)
            if listener in ready:
                wanted = _asked(listener)
                pid = os.fork()
                if pid == 0:
                    break
                for file in wanted.files:
                    os.close(file)
                running[pid] = wanted.says
                _say(wanted.says, pid)
    for each in (listener, woken, wakes, wanted.says, *running.values()):
        each.close()
    return wanted


def become(wanted: Wanted) -> None:
    """What the interpreter and the system do between `python -m MODULE` and its first line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(wanted.files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = sys.__stdin__ = _text(0, "rb", sys.stdin)
    sys.stdout = sys.__stdout__ = _text(1, "wb", sys.stdout)
    sys.stderr = sys.__stderr__ = _text(2, "wb", sys.stderr)
    os.chdir(wanted.at)
    os.environ.clear()
    os.environ.update(wanted.environment)
    time.tzset()
    sys.orig_argv[:] = [sys.executable, "-m", wanted.module, *wanted.arguments]
    sys.argv[1:] = wanted.arguments
    if wanted.module == "-c":
        sys.argv[:] = ["-c", *wanted.arguments[1:]]
        exec(compile(wanted.arguments[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    else:
        runpy.run_module(wanted.module, run_name="__main__", alter_sys=True)


def _text(number: int, mode: Literal["rb", "wb"], before: TextIO) -> TextIO:
    """What was known of the file that was there before is not true of this one."""
    return TextIOWrapper(
        open(number, mode, closefd=False),
        before.encoding,
        before.errors,
        newline="\n" if mode == "wb" else None,
        line_buffering=number == 2 or os.isatty(number),
    )


def _asked(listener: socket.socket) -> Wanted:
    says, _ = listener.accept()
    says.settimeout(_SECONDS)
    message, files, _, _ = socket.recv_fds(says, _LARGEST_BYTES, 3)
    return Wanted(**json.loads(message), files=files, says=says)


def _bury(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as says:
            _say(says, os.waitstatus_to_exitcode(status))


def _say(says: socket.socket, number: int) -> None:
    try:
        says.send(b"%d" % number)
    except OSError:
        return  # nobody waits for it any more


if __name__ == "__main__":
    import_everything()
    if (asked := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        become(asked)
