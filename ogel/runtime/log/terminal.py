"""What a terminal may be sent: text that cannot steer it, and colours where its owner wants them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

# Joiners of Persian, Indic and emoji; between other letters they would only hide a difference.
_JOINERS = "\u200c\u200d"
_JOINED = re.compile(rf"(?<=[^\x00-\x7f])[{_JOINERS}](?=[^\x00-\x7f])")
# Spaces that are printed as such, but not by Python's `isprintable`.
_SPACES = "\u00a0\u202f\u3000"


def printable(text: str) -> str:
    """On one line; what would move the cursor, change colours or turn the direction of writing is spelled out."""
    if text.isprintable():
        return text
    joiners = {found.start() for found in _JOINED.finditer(text)}
    return "".join(
        c if c.isprintable() or c in _SPACES or place in joiners else c.encode("unicode_escape").decode()
        for place, c in enumerate(text)
    )


def colours(environment: Mapping[str, str] = os.environ) -> bool | None:
    """
    False with NO_COLOR, True with FORCE_COLOR, False on a terminal that knows none; None: where there is a terminal.
    In this order, which is Python's own.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0").lower() not in ("", "0", "false"):
        return True
    return False if environment.get("TERM") == "dumb" else None


def shows_colours(stream: TextIO) -> bool:
    wanted = colours()
    return stream.isatty() if wanted is None else wanted


def draws(stream: TextIO) -> bool:
    """Whether a line that was written can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
