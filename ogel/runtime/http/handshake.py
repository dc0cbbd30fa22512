"""The handshake (RFC 6455 §4): what a request must have to become a WebSocket, and the answer that makes it one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

from ogel.runtime.http.answer import head_of
from ogel.runtime.http.head import Fields, Refused

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_VERSION = b"13"
_WHICH_VERSION = ((b"upgrade", b"websocket"), (b"sec-websocket-version", _VERSION))


def key_of(fields: Fields) -> bytes:
    """Returns the request's key. Raises Refused; a client of another version is told which one we speak (§4.4)."""
    versions = [value for name, value in fields if name == b"sec-websocket-version"]
    if versions and versions != [_VERSION]:
        raise Refused(426, "The version of WebSocket spoken here is 13.", _WHICH_VERSION)
    keys = [value for name, value in fields if name == b"sec-websocket-key"]
    if not versions or len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise Refused(400, "A WebSocket begins with a Sec-WebSocket-Version and a Sec-WebSocket-Key.")
    return keys[0]


def protocols_of(fields: Fields) -> Sequence[str]:
    """Returns the subprotocols that the client speaks, those it prefers first."""
    offers = b",".join(value for name, value in fields if name == b"sec-websocket-protocol")
    return [str(each.strip(b" \t"), "latin-1") for each in offers.split(b",") if each.strip(b" \t")]


def accepting(key: bytes, subprotocol: str | None, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    The head that says yes. Without permessage-deflate (RFC 7692), whose windows take several times the memory of a
    plain connection, and compressing as much time as all the rest.
    """
    accepted = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - the protocol's own
    said = [(b"upgrade", b"websocket"), (b"sec-websocket-accept", accepted)]
    if subprotocol is not None:
        said.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
    return head_of(101, [*said, *fields], b"connection: upgrade\r\n")
