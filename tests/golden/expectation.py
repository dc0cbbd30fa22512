"""What is expected of Ogel: the recorded answer, changed where a difference says so."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]
# In a change: this key is not there.
GONE = object()
# In a difference: every line of the file.
ALL = "*"


class Recorded(Protocol):
    """A line of a transcript: what was asked, and what of the answer counts."""

    @property
    def name(self) -> str: ...

    @property
    def answer(self) -> Json: ...


@dataclass(frozen=True)
class Instead:
    """In a change: this, and nothing of what was recorded."""

    value: Any


class Whole(Protocol):
    """In place of a whole answer: one that depends on what was asked."""

    def answer(self, line: Any) -> Json: ...


@dataclass(frozen=True)
class Difference:
    """
    `lines` are names, or ALL. `ours` is laid over the recorded answer: objects key by key, with `*` for each element or
    key that is there, and a number for one element; GONE takes a key away, Instead replaces. `why` is told to whoever
    moves here.
    """

    lines: str | Sequence[str]
    ours: Json | Instead | Whole
    why: str

    def names(self) -> Sequence[str]:
        return [self.lines] if isinstance(self.lines, str) else self.lines


def expected(line: Recorded, differences: Sequence[Difference]) -> Json:
    """Raises AssertionError for a difference that changes nothing: it should not be listed."""
    answer = copy.deepcopy(line.answer)
    for difference in differences:
        names = difference.names()
        if line.name not in names and ALL not in names:
            continue
        before = copy.deepcopy(answer)
        ours = difference.ours
        answer = laid_over(answer, ours) if isinstance(ours, dict | Instead) else ours.answer(line)
        assert answer != before or ALL in names, f"{line.name}: {difference.ours} is what was recorded"
    return answer


def laid_over(recorded: Any, ours: Any) -> Any:
    if isinstance(ours, Instead):
        return copy.deepcopy(ours.value)
    if not isinstance(ours, Mapping):
        return copy.deepcopy(ours)
    if isinstance(recorded, list):
        return [laid_over(each, ours.get("*", ours.get(at, {}))) for at, each in enumerate(recorded)]
    changed = dict(recorded) if isinstance(recorded, Mapping) else {}
    for name, value in ours.items():
        if name == "*":
            changed = {each: laid_over(old, value) for each, old in changed.items()}
        elif value is GONE:
            changed.pop(name, None)
        else:
            changed[name] = laid_over(changed.get(name), value)
    return changed


def unknown_lines(lines: Sequence[Recorded], differences: Sequence[Difference]) -> list[str]:
    known = {line.name for line in lines}
    return [name for each in differences for name in each.names() if name not in known and name != ALL]
