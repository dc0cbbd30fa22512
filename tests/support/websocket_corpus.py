"""
What a client may send on a WebSocket and what it may not (RFC 6455 §5 to §8), after the cases of Autobahn's test suite
(its sections 1 to 7), which itself needs Python 2: see autobahn.py.

Every case is sent to a server that echoes messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame

NORMAL = frozenset({1000})
PROTOCOL = frozenset({1002})
NOT_UTF8 = frozenset({1007})
# A close frame without a code may be answered by one, or by 1000.
NO_CODE = frozenset({None, 1000})


@dataclass(frozen=True)
class Case:
    """
    `echoes` are the messages that come back, `pongs` what pings are answered with: of several, the last one at least.
    When they are there, `then` is sent. Before a failure both may be missing. `codes`: what the server closes with.
    """

    sent: bytes
    then: bytes = b""
    echoes: tuple[tuple[int, bytes], ...] = ()
    pongs: tuple[bytes, ...] = ()
    codes: frozenset[int | None] = NORMAL

    @property
    def fails(self) -> bool:
        return self.codes <= PROTOCOL | NOT_UTF8


def good(sent: bytes, *echoes: tuple[int, bytes], pongs: tuple[bytes, ...] = ()) -> Case:
    return Case(sent, close(), echoes, pongs)


def bad(sent: bytes, *echoes: tuple[int, bytes], codes: frozenset[int | None] = PROTOCOL) -> Case:
    """What is sent ends the session; a message behind it is not heard any more."""
    return Case(sent + frame(TEXT, b"after"), echoes=echoes, codes=codes)


def _lengths() -> Iterator[tuple[str, Case]]:
    for length in (0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_048_576):
        for opcode, kind in ((TEXT, "text"), (BINARY, "bytes")):
            payload = b"*" * length if opcode == TEXT else b"\xfe" * length
            yield f"{length} of {kind}", good(frame(opcode, payload), (opcode, payload))
    for length, length_bytes in ((5, 2), (125, 2), (5, 8), (126, 8), (65_535, 8)):
        long = frame(TEXT, b"*" * length, length_bytes=length_bytes)
        yield f"{length} said in {length_bytes} bytes", bad(long)
    huge = frame(TEXT, b"*", declared=2**63, length_bytes=8)
    yield "a length with its highest bit set", bad(huge, codes=frozenset({1002, 1009}))
    yield "a message", good(frame(TEXT, b"a") + frame(TEXT, b"b"), (TEXT, b"a"), (TEXT, b"b"))


def _masks() -> Iterator[tuple[str, Case]]:
    for name, opcode in (("text", TEXT), ("bytes", BINARY), ("ping", PING), ("pong", PONG)):
        yield f"{name} unmasked", bad(frame(opcode, b"hello", masked=False))
    yield "close unmasked", bad(frame(CLOSE, b"\x03\xe8", masked=False))
    yield "empty and unmasked", bad(frame(TEXT, b"", masked=False))
    piece = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", masked=False)
    yield "continuation unmasked", bad(piece)


def _pings() -> Iterator[tuple[str, Case]]:
    for name, payload in (
        ("nothing", b""),
        ("text", b"Hello, world!"),
        ("bytes", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
        ("125 bytes", b"\xfe" * 125),
    ):
        yield f"ping with {name}", good(frame(PING, payload), pongs=(payload,))
        yield f"pong with {name}", good(frame(PONG, payload))
    yield "ping with 126 bytes", bad(frame(PING, b"\xfe" * 126))
    yield "pong with 126 bytes", bad(frame(PONG, b"\xfe" * 126))
    yield "ping with 65,536 bytes", bad(frame(PING, b"\xfe" * 65_536))
    yield "pong, then ping", good(frame(PONG, b"a") + frame(PING, b"b"), pongs=(b"b",))
    ten = [b"payload-%d" % n for n in range(10)]
    yield "ten pings", good(b"".join(frame(PING, each) for each in ten), pongs=tuple(ten))


def _reserved() -> Iterator[tuple[str, Case]]:
    for bits in range(1, 8):
        yield f"reserved bits {bits}", bad(frame(TEXT, b"hello", reserved=bits))
        before = frame(TEXT, b"before")
        yield f"ping with reserved bits {bits}", bad(before + frame(PING, reserved=bits), (TEXT, b"before"))
    yield "close with a reserved bit", bad(frame(CLOSE, b"\x03\xe8", reserved=4))
    pieces = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", reserved=4)
    yield "continuation with a reserved bit", bad(pieces)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"opcode {opcode}", bad(frame(opcode))
        payload = frame(opcode, b"hello")
        yield f"opcode {opcode} with a payload", bad(frame(TEXT, b"before") + payload, (TEXT, b"before"))


def _fragments() -> Iterator[tuple[str, Case]]:
    def pieces(*payloads: bytes, opcode: int = TEXT, between: bytes = b"") -> bytes:
        last = len(payloads) - 1
        return between.join(
            frame(CONTINUATION if n else opcode, payload, fin=n == last) for n, payload in enumerate(payloads)
        )

    ping = frame(PING, b"ping")
    end = frame(CONTINUATION, b"end")
    open_end = frame(CONTINUATION, b"end", fin=False)
    yield "two pieces", good(pieces(b"one", b"two"), (TEXT, b"onetwo"))
    yield "two pieces of bytes", good(pieces(b"\xff", b"\xfe", opcode=BINARY), (BINARY, b"\xff\xfe"))
    yield "all empty", good(pieces(b"", b"", b""), (TEXT, b""))
    yield "empty around", good(pieces(b"", b"middle", b""), (TEXT, b"middle"))
    yield "90 pieces", good(pieces(*[b"x"] * 90), (TEXT, b"x" * 90))
    interleaved = pieces(b"one", b"two", between=ping)
    yield "ping between", good(interleaved, (TEXT, b"onetwo"), pongs=(b"ping",))
    five = pieces(*[b"fragment"] * 5, between=ping)
    yield "pings between", good(five, (TEXT, b"fragment" * 5), pongs=(b"ping",) * 4)
    pong = frame(PONG, b"pong")
    yield "pong between", good(pieces(b"one", b"two", between=pong), (TEXT, b"onetwo"))
    yield "ping in pieces", bad(frame(PING, b"a", fin=False) + end)
    yield "pong in pieces", bad(frame(PONG, b"a", fin=False) + end)
    yield "close in pieces", bad(frame(CLOSE, b"\x03", fin=False) + frame(CONTINUATION, b"\xe8"))
    yield "nothing to go on with", bad(end)
    yield "nothing to go on with, unfinished", bad(open_end)
    yield "nothing to go on with, empty", bad(frame(CONTINUATION))
    yield "nothing to go on with any more", bad(pieces(b"one", b"two") + end, (TEXT, b"onetwo"))
    yield "nothing to go on with, then text", bad(end + frame(TEXT, b"hello"))
    yield "text in the middle", bad(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"))
    yield "bytes in the middle", bad(frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"))
    yield "another beginning", bad(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b", fin=False) + end)
    middle = frame(TEXT, b"a", fin=False) + close()
    yield "close in the middle", Case(middle)


GREETING = "Hello-µ@ßöäüàá-UTF-8!! κόσμε 💩".encode()
# After Markus Kuhn's decoder capability and stress test.
VALID_UTF8 = {
    "greeting": GREETING,
    "κόσμε": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    "U+0000": b"\x00",
    "U+007F": b"\x7f",
    "U+0080": b"\xc2\x80",
    "U+07FF": b"\xdf\xbf",
    "U+0800": b"\xe0\xa0\x80",
    "U+D7FF": b"\xed\x9f\xbf",
    "U+E000": b"\xee\x80\x80",
    "U+FFFD": b"\xef\xbf\xbd",
    "U+FFFE, which is no character": b"\xef\xbf\xbe",
    "U+FFFF, which is no character": b"\xef\xbf\xbf",
    "U+10000": b"\xf0\x90\x80\x80",
    "U+10FFFF": b"\xf4\x8f\xbf\xbf",
}
INVALID_UTF8 = {
    "U+110000": b"\xf4\x90\x80\x80",
    "U+1FFFFF": b"\xf7\xbf\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "a continuation": b"\x80",
    "the last continuation": b"\xbf",
    "seven continuations": b"\x80\xbf\x80\xbf\x80\xbf\x80",
    "starts of two": b"\xc2\x20\xdf\x20",
    "starts of three": b"\xe1\x20\xef\x20",
    "starts of four": b"\xf0\x20\xf4\x20",
    "cut after one of two": b"ab\xc3",
    "cut after two of three": b"ab\xe1\xbd",
    "cut after three of four": b"ab\xf0\x90\x80",
    "cut in the middle": b"\xe1\xbdab",
    "0xFE": b"\xfe",
    "0xFF": b"\xff",
    "0xFE 0xFF": b"\xfe\xfe\xff\xff",
    "an overlong slash of two": b"\xc0\xaf",
    "an overlong slash of three": b"\xe0\x80\xaf",
    "an overlong slash of four": b"\xf0\x80\x80\xaf",
    "an overlong slash of five": b"\xf8\x80\x80\x80\xaf",
    "an overlong NUL": b"\xc0\x80",
    "the longest overlong of two": b"\xc1\xbf",
    "the longest overlong of three": b"\xe0\x9f\xbf",
    "the longest overlong of four": b"\xf0\x8f\xbf\xbf",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "Autobahn's": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
}


def _utf8() -> Iterator[tuple[str, Case]]:
    def by_bytes(payload: bytes) -> bytes:
        parts = [payload[n : n + 1] for n in range(len(payload))]
        return b"".join(
            frame(CONTINUATION if n else TEXT, part, fin=n == len(parts) - 1) for n, part in enumerate(parts)
        )

    for name, payload in VALID_UTF8.items():
        yield f"{name}", good(frame(TEXT, payload), (TEXT, payload))
        yield f"{name} by bytes", good(by_bytes(payload), (TEXT, payload))
        yield f"{name} for a reason", Case(close(1000, payload))
    for name, payload in INVALID_UTF8.items():
        yield f"not: {name}", bad(frame(TEXT, payload), codes=NOT_UTF8)
        yield f"not: {name} by bytes", bad(by_bytes(payload), codes=NOT_UTF8)
        yield f"not: {name} as bytes", good(frame(BINARY, payload), (BINARY, payload))
    # To be said at once, or at the end of the message.
    early = frame(TEXT, GREETING + b"\xff", fin=False) + frame(CONTINUATION, b"a" * 100)
    yield "not: in the first of two pieces", bad(early, codes=NOT_UTF8)
    late = frame(TEXT, GREETING, fin=False) + frame(CONTINUATION, b"a\xff")
    yield "not: in the second of two pieces", bad(late, codes=NOT_UTF8)
    ping = frame(PING, b"ping")
    split = frame(TEXT, b"\xf0\x90", fin=False) + ping + frame(CONTINUATION, b"\x80\x80")
    yield "a character around a ping", good(split, (TEXT, b"\xf0\x90\x80\x80"), pongs=(b"ping",))
    ended = frame(TEXT, b"\xf0\x90") + frame(TEXT, b"\x80\x80")
    yield "not: a character over two messages", bad(ended, codes=NOT_UTF8)


def _closes() -> Iterator[tuple[str, Case]]:
    yield "without a code", Case(close(None), codes=NO_CODE)
    yield "with one byte", bad(frame(CLOSE, b"\x03"))
    yield "with a reason of 123 bytes", Case(close(1000, b"*" * 123))
    yield "with a reason of 124 bytes", bad(close(1000, b"*" * 124))
    yield "with a reason that is no UTF-8", bad(close(1000, GREETING + b"\xff"), codes=NOT_UTF8)
    yield "twice", Case(close() + close())
    yield "then a ping", Case(close() + frame(PING, b"unheard"))
    yield "then text", Case(close() + frame(TEXT, b"unheard"))
    yield "then what is no frame", Case(close() + b"\xff" * 20)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield f"with {code}", Case(close(code), codes=frozenset({code, 1000}))
    for code in (1012, 1013, 1014):  # registered since
        yield f"with {code}", Case(close(code), codes=frozenset({code, 1000, 1002}))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield f"with {code}", bad(close(code))


def groups() -> dict[str, dict[str, Case]]:
    made = {
        "lengths": _lengths(),
        "masks": _masks(),
        "pings": _pings(),
        "reserved": _reserved(),
        "fragments": _fragments(),
        "utf-8": _utf8(),
        "closes": _closes(),
    }
    return {about: dict(each) for about, each in made.items()}
