"""Frames (RFC 6455 §5): what a client sends taken apart, strictly and within limits; what we send put together."""

from __future__ import annotations

import codecs
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

# RFC 6455 §7.4.1.
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, ABNORMAL, NOT_UTF8 = 1000, 1001, 1002, 1005, 1006, 1007
POLICY, TOO_LARGE, INTERNAL = 1008, 1009, 1011

_DATA = frozenset({CONTINUATION, TEXT, BINARY})
_CONTROL = frozenset({CLOSE, PING, PONG})
# What a close frame may say: those of the RFC, those registered since (1012 to 1014), and anybody's own.
_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
_MAX_CONTROL_BYTES = 125
_decoder_of = codecs.getincrementaldecoder("utf-8")


class Violation(Exception):
    """The client has sent what it must not, or too much; `code` is what the connection is closed with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Said(NamedTuple):
    """
    One whole message or control frame: text is a str, everything else bytes. CONTINUATION: a piece of a message that is
    not whole yet, which only counts.
    """

    opcode: int
    payload: str | bytes


_PIECE = Said(CONTINUATION, b"")


class FrameReader:
    """
    Reads the frames of one client. A limit is enforced when a frame's head is there, before its payload is kept; text
    is checked at the end of each frame. An idle reader holds hardly anything.
    """

    __slots__ = ("_data", "_decoder", "_max_bytes", "_opcode", "_parts", "_size")

    def __init__(self, max_message_bytes: int) -> None:
        self._max_bytes = max_message_bytes
        self._data = bytearray()
        self._opcode = CONTINUATION  # of the message that has begun; CONTINUATION: none has
        self._parts: list[str | bytes] | None = None
        self._size = 0
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> None:
        self._data += data

    def next(self) -> Said | None:
        """Returns what the next frame says; None: it is not whole yet. Raises Violation, and is of no use after it."""
        data = self._data
        if len(data) < 2:
            return None
        first, second = data[0], data[1]
        opcode, length, begin = first & 0x0F, second & 0x7F, 2
        self._check(first, second, opcode, length)
        if length > 125:
            begin = 4 if length == 126 else 10
            if len(data) < begin:
                return None
            length = _long(data, begin)
        if opcode in _DATA and self._size + length > self._max_bytes:
            raise Violation(TOO_LARGE, "message too big")
        end = begin + 4 + length
        if len(data) < end:
            return None
        payload = _unmasked(bytes(data[begin + 4 : end]), bytes(data[begin : begin + 4]))
        del data[:end]
        if opcode in _CONTROL:
            return Said(opcode, payload)
        return self._piece(opcode, payload, last=bool(first & 0x80))

    def _check(self, first: int, second: int, opcode: int, length: int) -> None:
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits without an extension")
        if not second & 0x80:
            raise Violation(PROTOCOL_ERROR, "a frame is not masked")
        if opcode in _CONTROL:
            if length > _MAX_CONTROL_BYTES or not first & 0x80:
                raise Violation(PROTOCOL_ERROR, "a control frame is long or in pieces")
        elif opcode not in _DATA:
            raise Violation(PROTOCOL_ERROR, "an opcode that is reserved")
        elif (opcode == CONTINUATION) == (self._parts is None):
            raise Violation(PROTOCOL_ERROR, "a message begins in another, or goes on without having begun")

    def _piece(self, opcode: int, payload: bytes, *, last: bool) -> Said:
        if self._parts is None and last:
            return Said(opcode, _text(payload) if opcode == TEXT else payload)
        if self._parts is None:
            self._opcode, self._parts = opcode, []
            self._decoder = _decoder_of() if opcode == TEXT else None
        self._size += len(payload)
        self._parts.append(payload if self._decoder is None else _more_text(self._decoder, payload, last))
        return self._whole() if last else _PIECE

    def _whole(self) -> Said:
        parts, text = self._parts or [], self._decoder is not None
        whole = Said(self._opcode, "".join(parts) if text else b"".join(parts))  # type: ignore[arg-type]
        self._opcode, self._parts, self._size, self._decoder = CONTINUATION, None, 0, None
        return whole


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame of ours. It is the same for every client, because a server does not mask."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65_536:
        return bytes((0x80 | opcode, 126, length >> 8, length & 0xFF)) + payload
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame. NO_CODE makes an empty one; a reason too long for it is cut at a character."""
    if code == NO_CODE:
        return frame(CLOSE, b"")
    said = reason.encode()[: _MAX_CONTROL_BYTES - 2].decode("utf-8", "ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + said)


def read_close(payload: bytes) -> tuple[int, str]:
    """Returns what a client's close frame says; NO_CODE: nothing. Raises Violation."""
    if not payload:
        return NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or code not in _CODES:
        raise Violation(PROTOCOL_ERROR, "a close code that may not be sent")
    return code, _text(payload[2:])


def _long(data: bytearray, begin: int) -> int:
    length = int.from_bytes(data[2:begin], "big")
    if length < (126 if begin == 4 else 65_536) or length >> 63:
        raise Violation(PROTOCOL_ERROR, "a length that is not said in the shortest way")
    return length


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """As one operation on long integers, which is some fifty times as fast as byte by byte."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(NOT_UTF8, "text that is not UTF-8") from None


def _more_text(decoder: codecs.IncrementalDecoder, payload: bytes, last: bool) -> str:
    try:
        return decoder.decode(payload, last)
    except UnicodeDecodeError:
        raise Violation(NOT_UTF8, "text that is not UTF-8") from None
