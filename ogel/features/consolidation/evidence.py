"""Evidence: what was looked at or asked, and what was found there, so that a person can do it again."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ogel.features.consolidation.kinds import Kind
from ogel.runtime.log.terminal import printable

Source = Literal["name", "image", "variables", "wire", "deployment", "logs", "metrics", "database", "objects"]
MAX_CHARACTERS = 160


class Evidence(Struct, frozen=True):
    """
    says   the kind of service that this points to; None where it is about use.
    weight  how much that counts: a name is a hint, an answer of its own kind is nearly proof.
    """

    source: Source
    asked: str
    answered: str
    says: Kind | None = None
    weight: int = 0


def quoted(text: object, most: int = MAX_CHARACTERS) -> str:
    """What a stranger said, as a short line: neither a terminal nor a report can be steered by it."""
    # Whatever comes after can't be seen anyway, and may be megabytes.
    line = " ".join(str(text)[: most * 4].split())
    shown = printable(line)
    return shown if len(shown) <= most else shown[: most - 1] + "…"
