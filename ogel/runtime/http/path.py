"""
Parses request paths. Percent-encoding is undone once, segment by segment, so that a parameter may contain a slash.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from ogel.kernel.errors import Malformed, NotFound

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Matches most paths: they need no decoding, and nothing in them is refused.
_PLAIN = re.compile(rb"[\x21\x22\x24\x26-\x7e]*")
# The absolute form, which requests to a proxy use and servers have to accept (RFC 9112 §3.2.2).
_ORIGIN = re.compile(rb"https?://[^/]*", re.IGNORECASE)
# More often nobody undoes percent-encoding.
_MOST_ESCAPED = 4
# A percent sign without two hex digits (RFC 3986 §2.1).
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def segments_of(raw_path: bytes) -> list[str]:
    """
    Splits a path into decoded segments, with the one before the first slash. Dot segments have no special meaning (RFC
    3986 §5.2.4 applies to resolving links). Raises Malformed, or NotFound for a path that no resource can have.
    """
    raw_path = without_origin(raw_path)
    if _PLAIN.fullmatch(raw_path):
        return raw_path.decode("ascii").split("/")
    return [_decoded(segment) for segment in raw_path.split(b"/")]


def without_origin(raw_path: bytes) -> bytes:
    """Returns the path of a request target that may be a whole URL."""
    if raw_path[:1] != b"/" and (origin := _ORIGIN.match(raw_path)):
        return raw_path[origin.end() :]
    return raw_path


def read_loosely(raw_path: bytes) -> str:
    """
    Returns the path as the most forgiving of servers would: escapes undone as often as there are any, backslashes as
    slashes; without empty segments, parameters (`;v=1`) and dots and spaces at the end of a segment; in lower case.
    """
    path = unescaped(without_origin(raw_path)).replace(b"\\", b"/").decode("utf-8", "replace")
    read = (segment.partition(";")[0].rstrip(". ") for segment in path.split("/"))
    return "".join(f"/{segment}" for segment in read if segment).casefold()


def unescaped(path: bytes) -> bytes:
    """Undoes percent-encoding until nothing changes any more, since a service behind another undoes it once more."""
    for _ in range(_MOST_ESCAPED):
        before, path = path, unquote_to_bytes(path)
        if path == before:
            break
    return path


def _decoded(segment: bytes) -> str:
    if b"#" in segment:  # where the path would end for whoever reads it as a URL
        raise Malformed("The path has a fragment, which is never sent; a # in it is written %23.")
    if _NO_ESCAPE.search(segment):
        raise Malformed("The path has a % that begins no escape; a percent sign is written %25.")
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The path is not valid UTF-8.") from error
    if _CONTROL.search(text):
        raise NotFound("No resource has a control character in its path.")
    return text
