"""Paths of requests: percent-encoding is undone once, segment by segment, so that a parameter may hold a slash."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from ogel.kernel.errors import Malformed, NotFound

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Most paths: nothing in them has to be decoded or refused.
_PLAIN = re.compile(rb"[\x21-\x24\x26-\x7e]*")
# What a request to a proxy begins with, and servers have to understand (RFC 9112 §3.2.2).
_ORIGIN = re.compile(rb"https?://[^/]*", re.IGNORECASE)
# RFC 3986 §2.1.
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def segments_of(raw_path: bytes) -> list[str]:
    """
    What stands between the slashes, before the first one too, as the client means it; dots mean nothing (RFC 3986
    §5.2.4 is for who resolves links). Raises Malformed, or NotFound for what no resource can have.
    """
    if raw_path[:1] != b"/" and (origin := _ORIGIN.match(raw_path)):
        raw_path = raw_path[origin.end() :]
    if _PLAIN.fullmatch(raw_path):
        return raw_path.decode("ascii").split("/")
    return [_decoded(segment) for segment in raw_path.split(b"/")]


def _decoded(segment: bytes) -> str:
    if _NO_ESCAPE.search(segment):
        raise Malformed("The path has a % that begins no escape; a percent sign is written %25.")
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The path is not valid UTF-8.") from error
    if _CONTROL.search(text):
        raise NotFound("No resource has a control character in its path.")
    return text
