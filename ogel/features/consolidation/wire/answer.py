"""An answer of a service that nobody vouches for: read within bounds, and never quoted as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

# Lists of a gateway's routes are the longest that are asked for.
MAX_BYTES = 512 * 1024


class Answer:
    """`path` is what was asked. Headers are by names in small letters."""

    def __init__(self, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.path = path
        self.status = status
        self.headers = headers
        self.body = body

    @cached_property
    def json(self) -> Any:
        """None for what is no JSON, or is nested without end."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.json if isinstance(self.json, dict) else {}

    @cached_property
    def text(self) -> str:
        return self.body[:64_000].decode("utf-8", "replace")

    def header(self, name: str) -> str:
        return self.headers.get(name, "")
