"""Somebody at a terminal of 80 columns: an interactive bash, typed at, and what stands on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

COLUMNS, LINES = 80, 40
_END = re.compile(r"\x01(\d+)\x02\r?\n")
_CTRL_C = b"\x03"
Found = TypeVar("Found")


class Terminal:
    """Leaving the block ends everything that was started in it."""

    def __init__(self, at: Path, environment: Mapping[str, str]) -> None:
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=at,
            env={**environment, "PS1": "", "PS2": "", "HISTFILE": "", "TERM": "xterm", "NO_COLOR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        self.screen = ""
        self.run("stty -echo; set +m; bind 'set enable-bracketed-paste off' 2>/dev/null; true")
        self.screen = ""

    def run(
        self, typed: str, seconds: float = 30, answers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """
        Exit code and what appeared until the prompt came back, of jobs in the background too. `answers` are typed where
        a question stands.
        """
        before = len(self.screen)
        self.start(typed)
        for question, answer in (answers or {}).items():
            self._until(
                lambda question=question: re.search(question, self.screen[before:]), seconds, question
            )
            self.start(answer)
        self.start("printf '\\001%d\\002\\n' $?")
        found = self._until(lambda: _END.search(self.screen, before), seconds, typed)
        shown = self.screen[before : found.start()]
        self.screen = self.screen[: found.start()] + self.screen[found.end() :]
        return int(found[1]), shown

    def run_until(self, typed: str, enough: Callable[[str], bool], seconds: float = 30) -> tuple[int, str]:
        """Ctrl-C once what it shows is `enough`."""
        before = len(self.screen)
        self.start(typed)
        self._until(lambda: enough(self.screen[before:]) or None, seconds, typed)
        self.interrupt()
        code, rest = self.run("(exit $?)", seconds)
        return code, self.screen[before : len(self.screen) - len(rest)] + rest

    def start(self, typed: str) -> None:
        """Types it and waits for nothing."""
        os.write(self._own, typed.encode() + b"\n")

    def sees(self, wanted: str, seconds: float = 30) -> re.Match[str]:
        """What matches the regular expression, somewhere on the screen, by then."""
        return self._until(lambda: re.search(wanted, self.screen), seconds, f"to see {wanted!r}")

    def interrupt(self) -> None:
        os.write(self._own, _CTRL_C)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing the window: the foreground gets SIGHUP from the kernel, the background from bash.
        self._shell.send_signal(signal.SIGHUP)
        os.close(self._own)
        self._shell.wait(30)

    def _until(self, ask: Callable[[], Found | None], seconds: float, what: str) -> Found:
        deadline = time.monotonic() + seconds
        while (found := ask()) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"waited {seconds} s for {what}; the screen:\n{self.screen[-4000:]}"
            if select.select([self._own], [], [], left)[0]:
                with suppress(OSError):
                    self.screen += os.read(self._own, 65_536).decode(errors="replace").replace("\r\n", "\n")
        return found


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
