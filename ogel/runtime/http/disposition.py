"""`Content-Disposition` of answers: under which name a browser saves them (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
from urllib.parse import quote

_MOST_CHARACTERS = 255
# What would lead out of the directory where it is saved, and what no header can hold.
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_QUOTABLE = re.compile(r'[^\x20-\x7e]|["\\]')
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")
# A client that undoes percent-encoding in the plain name would make another of it.
_ESCAPE = re.compile(r"%(?=[0-9A-Fa-f]{2})")


def attachment(name: str) -> str:
    """To be saved, under that name if it is one; older clients read it without what is beyond ASCII."""
    name = _NOT_IN_NAMES.sub("_", name[:_MOST_CHARACTERS]).strip()
    if name in ("", ".", ".."):
        return "attachment"
    plain = _ESCAPE.sub("_", _NOT_QUOTABLE.sub("_", name))
    shown = plain if _TOKEN.fullmatch(plain) else f'"{plain}"'
    return f"attachment; filename={shown}; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"
