"""What a call of a client library came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """An answer that the library got; `path` with its query, below the library's URL."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Called:
    """`result` is what the library returned, as the transcripts tell it."""

    result: Any
    answers: Sequence[Answer]


class Client(Protocol):
    def call(self, client: str, method: str, args: Sequence[Any]) -> Called: ...
