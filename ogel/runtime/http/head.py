"""
Parses the head of a request, strictly and within limits. Anything that two parsers could read differently is refused,
because one of them may be the proxy in front of us (RFC 9112 §11.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_HEAD_BYTES = 32 * 1024
MAX_TARGET_BYTES = 8 * 1024
MAX_FIELDS = 100
MAX_EMPTY_LINES = 4  # before a request line, where they are ignored (RFC 9112 §2.2)

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n")
# Matches a field, or else all the rest. The second branch keeps the search from starting again at each of the following
# characters, which would take seconds for a head of 32 KiB.
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n|(?s:.+)")
_TARGET = re.compile(rb"/|[A-Za-z][A-Za-z0-9+.\-]*://|\*\Z")
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%_~\-]+\]|[A-Za-z0-9._~!$&'()*+,;=%\-]*)(?::[0-9]*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
# The fields that say where the request ends and what happens to the connection.
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"})

Fields = list[tuple[bytes, bytes]]


class Refused(Exception):
    """
    The request is invalid or exceeds a limit. Carries the status to answer with, a sentence, and header fields that
    HTTP wants with it.
    """

    def __init__(self, status: int, detail: str, fields: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fields = fields


class Head(NamedTuple):
    """
    fields      in their order, the names in lower case.
    length      bytes of the body; None: it comes in chunks.
    keep_alive  the client would send more requests.
    continues   the client waits for 100 before it sends the body.
    websocket   the client asks for one.
    """

    method: str
    target: bytes
    version: str
    fields: Fields
    length: int | None
    keep_alive: bool
    continues: bool
    websocket: bool


def end_of_head(data: bytes, start: int) -> int | None:
    """
    Returns where the head that begins at `start` ends; None: more data is needed. Raises Refused when it is too long,
    or cannot be one.
    """
    stop = start + MAX_HEAD_BYTES
    end = data.find(b"\r\n\r\n", start, stop)
    if end >= 0:
        return end + 4
    lines = data.count(b"\r\n", start, stop)
    if data.count(b"\n", start, stop) != lines:
        raise Refused(400, "A line ends without a carriage return.")
    if lines > MAX_FIELDS + 1:
        raise _too_many_fields()
    if len(data) >= stop:
        if data.find(b"\r\n", start, start + MAX_TARGET_BYTES) < 0:
            raise _target_too_long()
        raise Refused(431, f"The request's head is larger than {MAX_HEAD_BYTES} bytes.")
    return None


def skip_empty_lines(data: bytes, start: int) -> int:
    """Returns where the request line begins."""
    for _ in range(MAX_EMPTY_LINES):
        if not data.startswith(b"\r\n", start):
            break
        start += 2
    return start


def read_head(data: bytes, start: int, end: int) -> Head:
    """Parses a head. Raises Refused."""
    line = _REQUEST_LINE.match(data, start, end)
    if line is None:
        raise Refused(400, "The request line is malformed.")
    method, target, version = line.groups()
    if version not in (b"1.1", b"1.0"):
        raise Refused(505, "Only the versions 1.1 and 1.0 of HTTP are spoken here.")
    if len(target) > MAX_TARGET_BYTES:
        raise _target_too_long()
    if not _TARGET.match(target) and method != b"CONNECT":
        raise Refused(400, "The request target is neither a path nor a URL.")
    fields = _fields(data, line.end(), end - 2)
    framing = [each for each in fields if each[0] in _FRAMING]
    _check_host(framing, version)
    length = _length(framing, version)
    options = _connection_options(framing)
    return Head(
        method.decode("ascii"),
        target,
        version.decode("ascii"),
        fields,
        length,
        b"close" not in options and (version == b"1.1" or b"keep-alive" in options),
        length != 0 and version == b"1.1" and (b"expect", b"100-continue") in _lowered(framing),
        _asks_for_websocket(method, version, options, framing, length),
    )


def _fields(data: bytes, start: int, end: int) -> Fields:
    if data.count(b"\n", start, end) > MAX_FIELDS:
        raise _too_many_fields()
    found = read_fields(data, start, end)
    if found is None:
        raise Refused(400, "A header field is malformed.")
    return found


def read_fields(data: bytes, start: int, end: int) -> Fields | None:
    """
    Parses the fields of a head or trailer section, each line with its CRLF. Returns None when a line is not a field.
    """
    found = _FIELD.findall(data, start, end)
    if found and not found[-1][0]:
        return None
    return [(name.lower(), value.strip(b" \t")) for name, value in found]


def _check_host(framing: Fields, version: bytes) -> None:
    hosts = [value for name, value in framing if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == b"1.1"):
        raise Refused(400, "A request has one Host.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise Refused(400, "The Host is malformed.")


def _length(framing: Fields, version: bytes) -> int | None:
    codings = [value for name, value in framing if name == b"transfer-encoding"]
    lengths = [value for name, value in framing if name == b"content-length"]
    if codings:
        _check_chunked(codings, lengths, version)
        return None
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise Refused(400, "A request has one Content-Length.")
    if not _LENGTH.fullmatch(lengths[0]):
        raise Refused(400, "Content-Length is not a number.")
    return int(lengths[0])


def _check_chunked(codings: Sequence[bytes], lengths: Sequence[bytes], version: bytes) -> None:
    if lengths:
        raise Refused(400, "A request has a Content-Length or a Transfer-Encoding.")
    if version == b"1.0":
        raise Refused(400, "HTTP/1.0 knows no Transfer-Encoding.")
    names = [name.strip(b" \t").lower() for name in b",".join(codings).split(b",")]
    if names == [b"chunked"]:
        return
    if names[-1] == b"chunked" and names.count(b"chunked") == 1:
        raise Refused(501, "The only Transfer-Encoding we know is chunked.")
    raise Refused(400, "A Transfer-Encoding ends with chunked, once.")


def _connection_options(framing: Fields) -> set[bytes]:
    return {
        option.strip(b" \t")
        for name, value in framing
        if name == b"connection"
        for option in value.lower().split(b",")
    }


def _asks_for_websocket(
    method: bytes, version: bytes, options: set[bytes], framing: Fields, length: int | None
) -> bool:
    if not (method == b"GET" and version == b"1.1" and b"upgrade" in options):
        return False  # upgrades that we do not offer are ignored (RFC 9110 §7.8)
    if (b"upgrade", b"websocket") not in _lowered(framing):
        return False
    if length != 0:
        raise Refused(400, "A WebSocket begins without a body.")
    return True


def _lowered(framing: Fields) -> Fields:
    return [(name, value.lower()) for name, value in framing]


def _target_too_long() -> Refused:
    return Refused(414, f"The request target is longer than {MAX_TARGET_BYTES} bytes.")


def _too_many_fields() -> Refused:
    return Refused(431, f"The request has more than {MAX_FIELDS} header fields.")
