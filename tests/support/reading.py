"""A page that shows commands, typed at a terminal by somebody who does what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.markdown import blocks
from tests.support.terminal import Terminal

_ID = re.compile(r"\b([a-z]{2,4})_[0-9a-z]{10,}\b")


@dataclass
class Reading:
    """How a page is read: what stands for its examples, and what happens between its commands."""

    instead: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    """What is typed where a question stands."""
    ends: Mapping[str, int] = field(default_factory=dict)
    """Exit codes of what the page shows going wrong, by how it begins; what says more of it counts."""

    def prepare(self, typed: str) -> None:
        for beginning, act in self.before.items():
            if typed.startswith(beginning):
                act()

    def end(self, typed: str) -> int:
        known = [beginning for beginning in self.ends if typed.startswith(beginning)]
        return self.ends[max(known, key=len)] if known else 0

    def follow(self, page: Path, terminal: Terminal) -> None:
        """Types every command of the page, and holds what appears against what the page shows."""
        learned: dict[str, str] = {}
        for block in blocks(page):
            for typed, shown in block.conversation:
                self.prepare(typed)
                here = _for_here(typed, {**learned, **self.instead})
                until, interrupted, _ = shown.partition("^C")
                if interrupted:
                    code, got = terminal.run_until(here, lambda got, until=until: not [*_missing(until, got)])
                else:
                    asked = {each: answer for each, answer in self.answers.items() if each in shown}
                    code, got = terminal.run(here, answers=asked)
                assert code == (130 if interrupted else self.end(typed)), (
                    f"{typed!r} ended with {code}:\n{got}"
                )
                assert not re.search(r'"status":[45]\d\d\b', got), f"{typed!r} was answered {got}"
                assert list(_missing(shown, got)) == [], f"{block.page}:{block.line}: {typed!r} shows:\n{got}"
                learned |= _ids(shown, got)


def _for_here(typed: str, instead: Mapping[str, str]) -> str:
    for there, here in instead.items():
        typed = typed.replace(there, here)
    return typed


def _missing(shown: str, got: str) -> Iterator[str]:
    """Lines of the page that did not appear; ids, times and numbers are others here, and `…` stands for anything."""
    appeared = [_plain(line) for line in got.splitlines()]
    for line in shown.replace("^C", "").splitlines():
        begin, cut, _ = line.partition("…")
        wanted = _plain(begin)
        if not any(each.startswith(wanted) if cut else each == wanted for each in appeared):
            yield line


def _ids(shown: str, got: str) -> dict[str, str]:
    """Those of the page, and what they are called here."""
    found: dict[str, str] = {}
    for line in shown.splitlines():
        for appeared in got.splitlines():
            if _plain(line) == _plain(appeared):
                found |= zip(_whole_ids(line), _whole_ids(appeared), strict=True)
    return found


def _whole_ids(line: str) -> list[str]:
    return [each[0] for each in _ID.finditer(line)]


def _plain(line: str) -> str:
    for what, word in (
        (r"\x1b\[[0-9;]*[A-Za-z]", ""),
        (_ID, r"\1_#"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ", "TIME"),
        (r"https?://[^/\s]+", "http://HOST"),
        (r"\b[0-9a-f]{6,}\b", "HEX"),
        (r"\[[#-]+\]?", "BAR"),
        (r"\d[\d.,]*", "#"),
        (r"\b(s|min|h|d)\b", "UNIT"),
        (r"# UNIT ago|\bnow\b", "AGO"),
        (r"\s+", " "),
    ):
        line = re.sub(what, word, line)
    return line.strip()
