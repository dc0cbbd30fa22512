"""The transcripts, read: what was asked, what the recorded server answered, and what was done in between."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.golden.expectation import Json
from tests.golden.storage.contents import tree_of

HERE = Path(__file__).parent
FILES = sorted(path.name for path in HERE.glob("*.jsonl"))


@dataclass(frozen=True)
class Line:
    """
    request   of an exchange; None: the line is `told`.
    answer    what is compared: `status`, `headers`, `body` (XML as `tree_of` has it), and `decoded`, what each JWT says
              that is in them.
    told      the line as it stands: `sql`, `setup`, `observed`, or what a client library returned.
    """

    name: str
    request: Json | None
    answer: Json
    told: Json


@cache
def read(file: str) -> Sequence[Line]:
    """Of lines with one name, those after the first are numbered: `list (2)`."""
    seen: Counter[str] = Counter()
    lines = []
    for text in (HERE / file).read_text().splitlines():
        told = json.loads(text)
        seen[told["name"]] += 1
        count = seen[told["name"]]
        name = told["name"] if count == 1 else f"{told['name']} ({count})"
        answer = _answer(told) if "request" in told else {}
        lines.append(Line(name, told.get("request"), answer, told))
    return lines


def _answer(told: Json) -> Json:
    answer = {**told["response"], "decoded": _answered(told)}
    if "xml" in answer["headers"].get("content-type", "") and isinstance(answer["body"], str):
        answer["body"] = tree_of(answer["body"])
    return answer


def _answered(told: Json) -> Json:
    """Of the tokens that are decoded, those in the answer."""
    answer = json.dumps(told["response"])
    return {label: said for label, said in told.get("decoded", {}).items() if label in answer}
