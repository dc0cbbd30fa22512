"""Makes text safe for terminals, and decides about colours."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

# Joiners that Persian, Indic scripts and emoji need; between other letters they would only hide a difference.
_JOINERS = "\u200c\u200d"
_JOINED = re.compile(rf"(?<=[^\x00-\x7f])[{_JOINERS}](?=[^\x00-\x7f])")
# Spaces that terminals print, although Python's `isprintable` refuses them.
_SPACES = "\u00a0\u202f\u3000"


def printable(text: str) -> str:
    """Returns one line in which control characters and direction marks are escaped."""
    if text.isprintable():
        return text
    joiners = {found.start() for found in _JOINED.finditer(text)}
    return "".join(
        c if c.isprintable() or c in _SPACES or place in joiners else c.encode("unicode_escape").decode()
        for place, c in enumerate(text)
    )


def colours(environment: Mapping[str, str] = os.environ) -> bool | None:
    """
    Returns False with NO_COLOR, True with FORCE_COLOR, False on a terminal without colours, in this order, which is
    Python's own; None: it depends on whether the output is a terminal.
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
    """Whether the terminal can overwrite a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
