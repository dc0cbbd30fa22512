"""Names that clients give their files, as a last segment of an object's name."""

from __future__ import annotations

import re
from unicodedata import normalize

# Of UTF-8, as in most file systems: who downloads it can keep it under that name.
MOST_BYTES = 255
_UNNAMED = "file"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What is longer is no extension that somebody needs.
_MOST_EXTENSION_BYTES = 16


def filename_of(sent: str) -> str:
    """
    Returns what stands behind the last slash or backslash, in Unicode's form C, without control characters, and cut
    before its extension if it is too long. Any name is turned into one that an object may have.
    """
    name = _CONTROL.sub("", normalize("NFC", re.split(r"[/\\]", sent)[-1])).strip()
    if name in ("", ".", ".."):
        return _UNNAMED
    return _cut(name)


def _cut(name: str) -> str:
    if len(name.encode()) <= MOST_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    end = (dot + extension).encode() if stem and len(extension.encode()) <= _MOST_EXTENSION_BYTES else b""
    begin = (stem if end else name).encode()[: MOST_BYTES - len(end)]
    return begin.decode("utf-8", "ignore") + end.decode()
