"""An event: a fact that happened, immutable once published."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from ogel.kernel.clock import rfc3339
from ogel.kernel.text import pattern

# No dot in ids: `id.timestamp.body` is what a webhook signature covers, and a dot would make that ambiguous.
# `(?!\n)$`, because Python's `$` alone would let a trailing newline pass.
ID_PATTERN = pattern(r"^[A-Za-z0-9_-]{1,128}(?!\n)$", "1 to 128 letters, digits, _ and -")
TYPE_PATTERN = pattern(
    r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(?!\n)$", "words of letters, digits, _ and - with dots between them"
)
# `storage.*` matches every type below `storage.`; `*` matches every type.
GLOB_PATTERN = pattern(
    r"^[A-Za-z0-9_.*-]{1,128}(?!\n)$", "an event's type, in which * stands for any characters; 128 at most"
)


class Event(Struct, frozen=True):
    """`data` is the publisher's JSON text, untouched: receivers get exactly these bytes."""

    id: str
    type: str
    data: bytes
    subject: str | None
    created_at: datetime

    @property
    def timestamp(self) -> str:
        return rfc3339(self.created_at)


def glob_to_like(glob: str) -> str:
    """Translates the glob into a pattern for SQL's LIKE; `*` matches any characters, dots included."""
    return re.sub(r"([\\_%])", r"\\\1", glob).replace("*", "%")
