"""Somebody at a terminal: an interactive bash, typed at, and what stands on the screen."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tests.support.on_terminal import OnTerminal

# Says that the prompt is back, and how the command ended.
_PROMPT = re.compile(r"<<(\d+)>>\n")
_CTRL_C = "\x03"


class Terminal(OnTerminal):
    """Leaving the block closes the window, and with it all that was started there."""

    def __init__(self, at: Path, environment: Mapping[str, str]) -> None:
        own = {"PS1": "<<$?>>\n", "PS2": "", "HISTFILE": "", "TERM": "xterm", "NO_COLOR": "1"}
        shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
        super().__init__(shell, {**environment, **own}, at=at, controlled=True)
        self.prompt(30)
        self.run("stty -echo; set +m")

    def run(
        self, typed: str, seconds: float = 30, answers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """
        Exit code and what appeared until the prompt came back, of jobs in the background too. `answers` are typed where
        a question stands.
        """
        before = len(self.written)
        self.start(typed)
        for question, answer in (answers or {}).items():
            self.until(lambda written, question=question: question in written[before:], seconds)
            self.start(answer)
        return self.prompt(seconds, before)

    def run_until(self, typed: str, enough: Callable[[str], bool], seconds: float = 30) -> tuple[int, str]:
        """Ctrl-C once what it shows is `enough`."""
        before = len(self.written)
        self.start(typed)
        self.until(lambda written: enough(written[before:]), seconds)
        self.interrupt()
        return self.prompt(seconds, before)

    def start(self, typed: str) -> None:
        """Types it and waits for nothing."""
        self.type(f"{typed}\n")

    def sees(self, wanted: str, seconds: float = 30) -> None:
        """What matches the regular expression, somewhere on the screen, by then."""
        self.until(lambda written: re.search(wanted, written) is not None, seconds)

    def interrupt(self) -> None:
        self.type(_CTRL_C)

    def prompt(self, seconds: float, before: int = 0) -> tuple[int, str]:
        """Exit code and what stands on the screen from `before` on, once the prompt is back."""
        found = _PROMPT.search(
            self.until(lambda written: _PROMPT.search(written, before) is not None, seconds), before
        )
        assert found is not None
        shown = self.written[before : found.start()]
        self.written = self.written[: found.start()] + self.written[found.end() :]
        return int(found[1]), shown

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What runs in the foreground hears of it by the kernel, what runs behind it by bash.
        self.process.send_signal(signal.SIGHUP)
        os.close(self._ours)
        self.process.wait(30)
