"""Commands on a terminal: what they write there, as they write it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType


class OnTerminal:
    """One that a process has as its stdin, stdout and stderr. Leaving the block ends the process."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        columns: int = 80,
        at: Path | None = None,
        controlled: bool = False,
    ) -> None:
        """`controlled`: Ctrl-C and closing reach it as signals, as they reach a shell."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm", "PATH": os.environ["PATH"], **environment},
            cwd=at,
            start_new_session=True,
            preexec_fn=_take_terminal if controlled else None,
        )
        os.close(theirs)
        self.written = ""
        self._rest = b""

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(20)
        os.close(self._ours)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, done: Callable[[str], bool], seconds: float = 30.0) -> str:
        """All that was written by the time it is `done`."""
        deadline = time.monotonic() + seconds
        while not done(self.written):
            assert time.monotonic() < deadline, self.written
            assert self._read(0.2), f"it ended: {self.written}"
        return self.written

    def end(self, seconds: float = 30.0) -> str:
        """All that was written until the process ended by itself."""
        deadline = time.monotonic() + seconds
        while self._read(0.2):
            assert time.monotonic() < deadline, self.written
        self.process.wait(20)
        return self.written

    def _read(self, seconds: float) -> bool:
        """False once nobody can write there any more."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self._rest += read
        text = self._rest.decode(errors="ignore")
        self._rest = self._rest[len(text.encode()) :]
        self.written += text.replace("\r\n", "\n")
        return bool(read)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
