"""Media types as uploads say them and downloads show them."""

from __future__ import annotations

import re

_WORD = r"[\w!#$&^.+*-]+"
_PARAMETERS = r'(?:[\x20\x21\x23-\x2b\x2d-\x7e]|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*")*'
_ONE = re.compile(rf"{_WORD}/{_WORD}(?:[ \t]*;{_PARAMETERS})?", re.ASCII)


def is_one_type(text: str) -> bool:
    """
    Whether it is one type: `image/png`, `text/plain; charset=utf-8`. Browsers take a header for a list at each comma
    that is not quoted, and of a list the last type: `image/png, text/html` is a page.
    """
    return _ONE.fullmatch(text) is not None
