"""
Installs a lock file and this project into a virtual environment, and says how far it is: `install.py PYTHON LOCK`.

Runs before anything is installed, so with the standard library only. On a terminal one line is written over and moves
every second; elsewhere there is a line for each package, and one every few seconds while nothing else happens.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

BEAT_SECONDS = 5.0
KEPT_LINES = 30
_REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
# Of pip's words, in all its versions: what takes one more package off the list, and what it does with one.
_NEXT = re.compile(
    r"(?:Collecting|Requirement already satisfied:|Ignoring) ([\w.-]+)(?:\[\S+\])?(?:==([\w.+!-]+))?"
    r"|Processing \S*?([^/\s-]+)-([\w.+!]+)[^/\s]*\.(?:whl|tar\.gz)"
    r"|(Obtaining) file:"
)
_DOING = re.compile(r"\s*(Downloading|Building|Installing|Preparing)\b.*?(?:\(([\d.]+ [kMG]?B)\))?$")


def main() -> int:
    python, lock = sys.argv[1:]
    base = [
        python,
        "-u",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    total = sum(
        len(_REQUIREMENT.findall(Path(each).read_text())) for each in ("requirements-build.lock", lock)
    )
    meter = Meter(total + 1)
    for arguments in (
        ["--require-hashes", "-r", "requirements-build.lock"],
        ["--no-build-isolation", "--no-deps", "--require-hashes", "-r", lock],
        ["--no-build-isolation", "--no-deps", "-e", "."],
    ):
        if code := run([*base, *arguments], meter):
            return code
    meter.end()
    return 0


class Meter:
    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._doing = "starting pip"
        self._began = self._said_at = time.monotonic()
        self._overwrites = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def hear(self, line: str) -> None:
        if found := _NEXT.match(line.strip()):
            self._done = min(self._total, self._done + 1)
            self._doing = " ".join(filter(None, found.groups())).replace("Obtaining", "this project")
            self._say(news=True)
        elif found := _DOING.match(line):
            word, size = found.groups()
            if word == "Installing":
                self._doing = "all there; installing them"
                self._say(news=True)
            elif size and "metadata" not in line:
                self._doing = f"{self._doing.partition(',')[0]}, {size}"
                self._say(news=size.endswith(("MB", "GB")))

    def beat(self) -> None:
        if time.monotonic() - self._said_at >= (min(1.0, BEAT_SECONDS) if self._overwrites else BEAT_SECONDS):
            self._say(news=True)

    def end(self) -> None:
        self._clear()
        print(f"installed in {time.monotonic() - self._began:.0f} s", flush=True)

    def _say(self, news: bool) -> None:
        if not news and not self._overwrites:
            return
        self._said_at = time.monotonic()
        line = f"[{self._done}/{self._total}] {self._doing}  {self._said_at - self._began:.0f} s"
        self._clear()
        print(line[:79], end="" if self._overwrites else "\n", flush=True)

    def _clear(self) -> None:
        if self._overwrites:
            print("\r\x1b[K", end="")


def run(command: list[str], meter: Meter) -> int:
    """pip's exit code; when it is not 0, the last of what it said stands above."""
    lines: queue.Queue[str | None] = queue.Queue()
    kept: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        while (line := _next(lines)) is not None:
            if line:
                kept = [*kept[-KEPT_LINES:], line]
                meter.hear(line.rstrip("\n"))
            meter.beat()  # it may be silent, or say much that is not for people
    if process.returncode:
        print("\n" + "".join(kept), file=sys.stderr, flush=True)
    return process.returncode


def _next(lines: queue.Queue[str | None]) -> str | None:
    """A line, nothing for a second of silence, None at the end."""
    try:
        return lines.get(timeout=min(1.0, BEAT_SECONDS))
    except queue.Empty:
        return ""


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
