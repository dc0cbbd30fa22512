"""The transcripts, read: what was asked, and what the recorded server answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILES = sorted(path.name for path in HERE.glob("*.jsonl"))
Json = dict[str, Any]
# What its reader gets; the rest was there for templates to use.
_OF_A_MAIL = ("kind", "to", "token", "token_hash", "confirmation_url")


@dataclass(frozen=True)
class Line:
    """
    `answer` is what is compared: `status`, `headers`, `body`, or of requests at once `statuses` and counts; `mails`
    that it sent, and `decoded`, the header and claims of each new JWT.
    """

    name: str
    profile: str
    request: Json
    answer: Json = field(default_factory=dict)


def read(file: str) -> list[Line]:
    """Of what a client did, each request is a line; those after the first of a call are numbered."""
    lines = [json.loads(text) for text in (HERE / file).read_text().splitlines()]
    return [line for each in lines for line in lines_of(each)]


def lines_of(recorded: Mapping[str, Any]) -> Sequence[Line]:
    if "request" in recorded:
        return [_line(recorded["name"], recorded["profile"], recorded, recorded.get("decoded", {}))]
    exchanges = recorded["exchanges"]
    names = [recorded["name"], *(f"{recorded['name']} ({at})" for at in range(2, len(exchanges) + 1))]
    return [
        _line(name, recorded["profile"], exchange, _made_by(exchange, recorded.get("decoded", {})))
        for name, exchange in zip(names, exchanges, strict=False)
    ]


def _made_by(exchange: Mapping[str, Any], decoded: Mapping[str, Any]) -> Json:
    answered = json.dumps(exchange["response"])
    return {token: claims for token, claims in decoded.items() if token in answered}


def _line(name: str, profile: str, recorded: Mapping[str, Any], decoded: Json) -> Line:
    mails = [{part: mail[part] for part in _OF_A_MAIL if part in mail} for mail in recorded.get("mails", [])]
    answer = {**recorded["response"], "mails": mails, "decoded": decoded}
    return Line(name, profile, recorded["request"], answer)
