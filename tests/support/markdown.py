"""What the pages show: fenced blocks by language, the commands in them, and code within sentences."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "railway/README.md",
    ROOT / "bench/README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/runbooks/*.md")),
]
_PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        return [typed for typed, _ in self.conversation]

    @property
    def conversation(self) -> list[tuple[str, str]]:
        """
        What a reader types, with what it is shown to answer: every line of `sh`, what follows a `$ ` in `console`. A
        command goes on while a quote or a backslash holds it open.
        """
        if self.language == "sh":
            return [(typed, "") for typed in _whole(self.text.splitlines())]
        if self.language != "console":
            return []
        said: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith(_PROMPT):
                said.append(([line.removeprefix(_PROMPT)], []))
            elif said and not said[-1][1] and _is_open("\n".join(said[-1][0])):
                said[-1][0].append(line)
            elif said:
                said[-1][1].append(line)
        return [("\n".join(typed), "\n".join(shown)) for typed, shown in said]


def blocks(page: Path) -> Iterator[Block]:
    name = str(page.relative_to(ROOT))
    begun: tuple[int, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif begun is None:
            begun, lines = (number, line.strip().removeprefix("```")), []
        else:
            yield Block(name, *begun, "\n".join(lines))
            begun = None
    assert begun is None, f"{name}:{begun}: a block that does not end"


def spans(page: Path) -> Iterator[str]:
    """Code within sentences."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for found in re.finditer(r"`([^`]+)`", prose):
        yield " ".join(found[1].split())


def _whole(lines: list[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        if not held and (not line.strip() or line.lstrip().startswith("#")):
            continue
        held.append(line)
        if not _is_open("\n".join(held)):
            yield "\n".join(held)
            held = []
    assert not held, f"a command that does not end: {held}"


def _is_open(typed: str) -> bool:
    """Whether the shell would wait for more: a quote is open, or a backslash ends the line."""
    # What a quote holds, what is escaped, and comments, in that order of what begins first.
    closed = re.sub(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?:^|\s)#[^\n]*""", "", typed, flags=re.DOTALL)
    return "'" in closed or '"' in closed or closed.endswith("\\")


def run_python(code: str) -> str:
    """Returns what it printed, in a process of its own: what a page leaves open ends with it."""
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
