"""WebSocket frames (RFC 6455 §5) as a client of one's own writes them, right or wrong, and as it reads a server's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.door import Wire, wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    declared: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """
    From a client. `reserved`: bits 1 to 7 for RSV1-3. `declared`: a length that is not the payload's; `length_bytes`:
    0, 2 or 8 of them, whatever the length needs.
    """
    length = len(payload) if declared is None else declared
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65_536 else 8
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    second = (0x80 if masked else 0) | {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([first, second]) + (length.to_bytes(length_bytes, "big") if length_bytes else b"")
    return head + (_MASK + masked_with(_MASK, payload) if masked else payload)


def masked_with(mask: bytes, payload: bytes) -> bytes:
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def text(payload: str) -> bytes:
    return frame(TEXT, payload.encode())


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def handshake(path: bytes = b"/ws", fields: bytes = b"") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n" % (path, KEY, fields)
    )


@dataclass(frozen=True)
class Frame:
    """From a server. `code` is a close frame's, None if it has none."""

    opcode: int
    payload: bytes
    fin: bool = True

    @property
    def code(self) -> int | None:
        return int.from_bytes(self.payload[:2], "big") if self.payload else None


def frames(received: bytes | bytearray) -> tuple[list[Frame], bytes]:
    """Those that are whole, and the rest. AssertionError for what a server must not send (§5.1, §5.2)."""
    found: list[Frame] = []
    rest = bytes(received)
    while len(rest) >= 2:
        first, second = rest[:2]
        assert not first & 0x70, "reserved bits, though no extension was agreed on"
        assert not second & 0x80, "a server's frames are not masked"
        length_bytes = {126: 2, 127: 8}.get(second, 0)
        length = int.from_bytes(rest[2 : 2 + length_bytes], "big") if length_bytes else second
        begin = 2 + length_bytes
        if len(rest) < begin + length:
            break
        assert not length_bytes or length > {2: 125, 8: 65_535}[length_bytes], "not the shortest length"
        opcode = first & 0x0F
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {opcode}"
        assert opcode < CLOSE or (length < 126 and first & 0x80), "a control frame that is long or in pieces"
        found.append(Frame(opcode, rest[begin : begin + length], bool(first & 0x80)))
        rest = rest[begin + length :]
    return found, rest


class WebSocketWire:
    """After the handshake."""

    def __init__(self, wire: Wire, begin: int) -> None:
        self.wire = wire
        self._begin = begin

    @property
    def frames(self) -> list[Frame]:
        return frames(self.wire.received[self._begin :])[0]

    @property
    def closed_with(self) -> int | None:
        """The code of the server's close frame; 1006 as long as there is none."""
        closes = [each for each in self.frames if each.opcode == CLOSE]
        return closes[0].code if closes else 1006

    async def until(self, met: Callable[[list[Frame]], bool]) -> None:
        await self.wire.until(lambda: met(self.frames))


@asynccontextmanager
async def websocket(port: int, path: bytes = b"/ws", fields: bytes = b"") -> AsyncIterator[WebSocketWire]:
    async with wire(port) as connected:
        connected.write(handshake(path, fields))
        await connected.until(lambda: b"\r\n\r\n" in connected.received)
        head = bytes(connected.received).partition(b"\r\n\r\n")[0].lower() + b"\r\n"
        assert head.startswith(b"http/1.1 101 "), head
        accepted = base64.b64encode(hashlib.sha1(KEY + _GUID).digest())  # noqa: S324 - the protocol's own
        assert b"\r\nsec-websocket-accept: " + accepted.lower() in head
        assert b"extensions" not in head
        yield WebSocketWire(connected, len(head) + 2)
