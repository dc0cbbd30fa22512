"""What is expected of Ogel: the recorded answer, changed where a difference says so."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.golden.gotrue.transcript import Json, Line

# In a change: this key is not there.
GONE = object()
# In a difference: every line of the file.
ALL = "*"


@dataclass(frozen=True)
class Instead:
    """In a change: this, and nothing of what was recorded."""

    value: Any


@dataclass(frozen=True)
class Refused:
    """In place of the whole answer: an error, in the shape that the request asks for."""

    status: int
    code: str
    text: str = "<any>"


@dataclass(frozen=True)
class Difference:
    """
    `lines` are names, or ALL. `ours` is laid over the recorded answer: objects key by key, with `*` for each element or
    key that is there, and a number for one element; GONE takes a key away, Instead replaces. `why` is told to whoever
    moves here.
    """

    lines: str | Sequence[str]
    ours: Json | Refused | Instead
    why: str

    def names(self) -> Sequence[str]:
        return [self.lines] if isinstance(self.lines, str) else self.lines


def expected(line: Line, differences: Sequence[Difference]) -> Json:
    """Raises AssertionError for a difference that changes nothing: it should not be listed."""
    answer = copy.deepcopy(line.answer)
    for difference in differences:
        names = difference.names()
        if line.name not in names and ALL not in names:
            continue
        before = copy.deepcopy(answer)
        ours = difference.ours
        answer = refusal(line, ours) if isinstance(ours, Refused) else laid_over(answer, ours)
        assert answer != before or ALL in names, f"{line.name}: {difference.ours} is what was recorded"
    return answer


def refusal(line: Line, refused: Refused) -> Json:
    headers = {"Content-Type": "application/json", "X-Sb-Error-Code": refused.code}
    body: Json = {"code": refused.status, "error_code": refused.code, "msg": refused.text}
    if refused.status == 429:
        headers["Retry-After"] = "<any>"
    if is_newer(line):
        headers["X-Supabase-Api-Version"] = "2024-01-01"
        body = {"code": refused.code, "message": refused.text}
    return {"status": refused.status, "headers": headers, "body": body, "mails": [], "decoded": {}}


def is_newer(line: Line) -> bool:
    """Whether the request asks for errors of the newer shape."""
    headers = {name.lower(): text for name, text in line.request.get("headers", {}).items()}
    return headers.get("x-supabase-api-version", "") in ("2024-01-01", "2030-01-01")


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


def unknown_lines(lines: Sequence[Line], differences: Sequence[Difference]) -> list[str]:
    known = {line.name for line in lines}
    return [name for each in differences for name in each.names() if name not in known and name != ALL]
