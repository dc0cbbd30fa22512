"""
Requests that two readers may understand in two ways (RFC 9112), each with all outcomes that we allow.

A case's bytes ask for `first`; what it tries to smuggle past somebody asks for `hidden`; after it, on the same
connection, comes a good request for `after`, the last one. An outcome names who was answered, in order, with REFUSED
for an answer of the server's own. Where an RFC leaves a choice, each choice is allowed; refusing always ends the
connection, so nothing comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

REFUSED = "refused"
REFUSALS = frozenset({400, 405, 411, 413, 414, 417, 431, 501, 505})
Outcome = tuple[str, ...]

NO: frozenset[Outcome] = frozenset({(REFUSED,)})
YES: frozenset[Outcome] = frozenset({("first", "after")})
LAST: frozenset[Outcome] = frozenset({("first",)})  # answered, and then hung up
THEN_NO: frozenset[Outcome] = frozenset({("first", REFUSED), ("first",)})  # what follows is no request
SILENT: frozenset[Outcome] = frozenset({()})
BOTH: frozenset[Outcome] = frozenset({("first", "hidden", "after")})

HOST = b"Host: x\r\n"
HIDDEN = b"GET /000/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
AFTER = b"GET /000/after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# No request can begin with this body, as one could with `hello`, which might be the beginning of a method.
FIVE = b'{"a"}'
# As a chunked body it is empty, and a request follows.
ENDED = b"0\r\n\r\n" + HIDDEN


@dataclass(frozen=True)
class Case:
    """`method` and `body` are what `first` has to arrive with, wherever it is answered."""

    raw: bytes
    allowed: frozenset[Outcome]
    body: bytes = b""
    method: str = "GET"


def numbered(raw: bytes, number: int) -> bytes:
    """A case's bytes with its number in every target; as long as before."""
    return raw.replace(b"/000/", b"/%03d/" % number)


def get(fields: bytes = b"", rest: bytes = b"", line: bytes = b"GET /000/first HTTP/1.1") -> bytes:
    return line + b"\r\n" + HOST + fields + b"\r\n" + rest


def post(fields: bytes, body: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"POST /000/first " + version + b"\r\n" + HOST + fields + b"\r\n" + body


def length(value: bytes | int) -> bytes:
    return b"Content-Length: " + (b"%d" % value if isinstance(value, int) else value) + b"\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _posts(cases: Mapping[str, tuple[bytes, frozenset[Outcome]]], about: str) -> Iterator[tuple[str, Case]]:
    """Of raw bytes, each with FIVE for a body."""
    for name, (raw, allowed) in cases.items():
        yield f"{about}: {name}", Case(raw, allowed, FIVE, "POST")


def _gets(cases: Mapping[str, tuple[bytes, frozenset[Outcome]]], about: str) -> Iterator[tuple[str, Case]]:
    for name, (raw, allowed) in cases.items():
        yield f"{about}: {name}", Case(raw, allowed)


# Both lengths: RFC 9112 §6.1 has a server refuse, or go by Transfer-Encoding and close the connection.
BOTH_LENGTHS = {
    "chunked ends early": CHUNKED + length(len(ENDED)),
    "chunked ends early, length first": length(len(ENDED)) + CHUNKED,
    "length of nothing": length(0) + CHUNKED,
    "length of the last chunk": length(5) + CHUNKED,
    "a length that is none": length(b"five") + CHUNKED,
    "a length too large for 64 bits": length(2**64 + 5) + CHUNKED,
    "length twice": length(5) + CHUNKED + length(5),
    "coding in capitals": b"TRANSFER-ENCODING: CHUNKED\r\n" + length(len(ENDED)),
    "apart": length(5) + b"A: b\r\n" * 20 + CHUNKED,
}

# Each alone and beside a length. Understood: chunked. Anything else ends the connection, for nobody knows where the
# body ends.
UNDERSTOOD = {
    "plain": b"Transfer-Encoding: chunked",
    "no blank": b"Transfer-Encoding:chunked",
    "tab": b"Transfer-Encoding:\tchunked",
    "blanks around": b"Transfer-Encoding:   chunked  \t",
    "capitals": b"TRANSFER-ENCODING: CHUNKED",
    "mixed": b"tRANSFER-eNCODING: cHuNkEd",
}
NOT_UNDERSTOOD = {
    "x before": b"Transfer-Encoding: xchunked",
    "x after": b"Transfer-Encoding: chunkedx",
    "blank within": b"Transfer-Encoding: chun ked",
    "blank before the colon": b"Transfer-Encoding : chunked",
    "tab before the colon": b"Transfer-Encoding\t: chunked",
    "vertical tab before": b"Transfer-Encoding: \x0bchunked",
    "vertical tab after": b"Transfer-Encoding: chunked\x0b",
    "form feed": b"Transfer-Encoding: \x0cchunked",
    "file separator": b"Transfer-Encoding: \x1cchunked",
    "no-break space": b"Transfer-Encoding: \xa0chunked",
    "no-break space after": b"Transfer-Encoding: chunked\xa0",
    "next line": b"Transfer-Encoding: \x85chunked",
    "NUL before": b"Transfer-Encoding: \x00chunked",
    "NUL after": b"Transfer-Encoding: chunked\x00",
    "bare CR before": b"Transfer-Encoding: \rchunked",
    "bare CR after": b"Transfer-Encoding: chunked\r",
    "bare CR in the name": b"Transfer-Encoding\r: chunked",
    "quoted": b'Transfer-Encoding: "chunked"',
    "apostrophes": b"Transfer-Encoding: 'chunked'",
    "then identity": b"Transfer-Encoding: chunked, identity",
    "identity": b"Transfer-Encoding: identity",
    "then gzip": b"Transfer-Encoding: chunked, gzip",
    "twice in a list": b"Transfer-Encoding: chunked, chunked",
    "parameter": b"Transfer-Encoding: chunked;q=1",
    "empty": b"Transfer-Encoding:",
    "a blank": b"Transfer-Encoding: ",
    "a comma": b"Transfer-Encoding: ,",
    "two colons": b"Transfer-Encoding:: chunked",
    "something else": b"Transfer-Encoding: cow",
    "then identity in a second field": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "two fields": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "then x in a second field": b"Transfer-Encoding: chunked\r\nTransfer-encoding: x",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded with a tab": b"Transfer-Encoding:\r\n\tchunked",
    "folded within": b"Transfer-Encoding: chun\r\n ked",
    "folded after": b"Transfer-Encoding: chunked\r\n ",
    "folded to identity": b"Transfer-Encoding: chunked\r\n , identity",
    "hidden by a fold": b"A: b\r\n Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "no-break space in the name": b"Transfer-Encoding\xa0: chunked",
    "NUL in the name": b"Transfer-Encoding\x00: chunked",
    "after a bare LF": b"A: b\nTransfer-Encoding: chunked",
    "after a bare CR": b"A: b\rTransfer-Encoding: chunked",
    "after CR CR LF": b"A: b\r\r\nTransfer-Encoding: chunked",
    "after LF CR": b"A: b\n\rTransfer-Encoding: chunked",
}
# Chunked is the last coding, so the end is known; but we undo no other, and need no empty elements of a list.
UNDERSTOOD_BY_SOME = {
    "gzip first": b"Transfer-Encoding: gzip, chunked",
    "identity first": b"Transfer-Encoding: identity, chunked",
    "identity in a field before": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "a comma before": b"Transfer-Encoding: ,chunked",
    "a comma after": b"Transfer-Encoding: chunked,",
    "a comma and a blank after": b"Transfer-Encoding: chunked, ",
}
# Another field altogether: there is no body, and what looks like one is no request.
OTHER_FIELDS = {
    "underscore": b"Transfer_Encoding: chunked",
    "one letter short": b"Transfer-Encodin: chunked",
    "prefixed": b"X-Transfer-Encoding: chunked",
    "TE": b"TE: chunked",
}


def _codings() -> Iterator[tuple[str, Case]]:
    for name, fields in BOTH_LENGTHS.items():
        yield f"both lengths: {name}", Case(post(fields, ENDED), NO | LAST, b"", "POST")
    for name, line in UNDERSTOOD.items():
        fields = line + b"\r\n"
        body = chunk(FIVE) + b"0\r\n\r\n"
        yield f"coding understood: {name}", Case(post(fields, body), YES, FIVE, "POST")
        both = length(len(ENDED)) + fields
        yield f"coding understood, with a length: {name}", Case(post(both, ENDED), NO | LAST, b"", "POST")
    for name, line in NOT_UNDERSTOOD.items():
        fields = line + b"\r\n"
        yield f"coding not understood: {name}", Case(post(fields, ENDED), NO, method="POST")
        both = length(len(ENDED)) + fields
        yield f"coding not understood, with a length: {name}", Case(post(both, ENDED), NO, method="POST")
    for name, line in UNDERSTOOD_BY_SOME.items():
        fields = line + b"\r\n"
        body = chunk(FIVE) + b"0\r\n\r\n"
        yield f"coding: {name}", Case(post(fields, body), NO | YES | LAST, FIVE, "POST")
        both = length(len(ENDED)) + fields
        yield f"coding, with a length: {name}", Case(post(both, ENDED), NO | LAST, b"", "POST")
    for name, line in OTHER_FIELDS.items():
        raw = post(line + b"\r\n", chunk(FIVE) + b"0\r\n\r\n")
        yield f"no coding: {name}", Case(raw, NO | THEN_NO, b"", "POST")
        raw = post(length(5) + line + b"\r\n", FIVE)
        yield f"no coding, with a length: {name}", Case(raw, NO | YES, FIVE, "POST")


LENGTHS_THAT_ARE_NONE = {
    "plus": b"+5",
    "minus": b"-5",
    "minus nothing": b"-0",
    "empty": b"",
    "a blank within": b"5 5",
    "a list": b"5,6",
    "a list with a blank": b"5, 6",
    "a comma": b"5,",
    "hex": b"0x5",
    "a fraction": b"5.0",
    "a power": b"5e0",
    "an underscore": b"1_0",
    "a letter after": b"5a",
    "a semicolon": b"5;",
    "quoted": b'"5"',
    "NUL after": b"5\x00",
    "vertical tab before": b"\x0b5",
    "vertical tab after": b"5\x0b",
    "no-break space": b"\xa05",
    "a superscript": b"\xb2",
    "Arabic": b"\xd9\xa5",
    "2^64 and five": b"18446744073709551621",
    "2^128 and five": b"340282366920938463463374607431768211461",
    "a thousand digits": b"9" * 1000,
    "bare CR": b"5\r",
    "folded after": b"5\r\n ",
    "folded to more digits": b"5\r\n 5",
    "folded before": b"\r\n 5",
}

LENGTHS = {
    "plain": (post(length(5), FIVE), YES),
    "no blank": (post(b"Content-Length:5\r\n", FIVE), YES),
    "tab": (post(b"Content-Length:\t5\t\r\n", FIVE), YES),
    "capitals": (post(b"CONTENT-LENGTH: 5\r\n", FIVE), YES),
    "leading zeros": (post(length(b"005"), FIVE), NO | YES),
    "very many leading zeros": (post(length(b"0" * 400 + b"5"), FIVE), NO | YES),
    "the same twice": (post(length(5) + length(5), FIVE), NO | YES),
    "the same twice in a list": (post(length(b"5, 5"), FIVE), NO | YES),
    "two of them": (post(length(5) + length(6), FIVE), NO),
    "two of them, the other way": (post(length(0) + length(5), FIVE), NO),
    "two of them, one in capitals": (post(length(5) + b"CONTENT-LENGTH: 0\r\n", FIVE), NO),
    "nothing, and a request": (post(length(0) + length(len(HIDDEN)), HIDDEN), NO),
    "a request, and nothing": (post(length(len(HIDDEN)) + length(0), HIDDEN), NO),
    "blank before the colon": (post(b"Content-Length : 5\r\n", FIVE), NO),
    "tab before the colon": (post(b"Content-Length\t: 5\r\n", FIVE), NO),
    "no-break space in the name": (post(b"Content-Length\xa0: 5\r\n", FIVE), NO),
    "NUL in the name": (post(b"Content-Length\x00: 5\r\n", FIVE), NO),
    "NUL before the name": (post(b"\x00Content-Length: 5\r\n", FIVE), NO),
    "after a bare LF": (post(b"A: b\nContent-Length: 5\r\n", FIVE), NO),
    "after a bare CR": (post(b"A: b\rContent-Length: 5\r\n", FIVE), NO),
    "one in a fold": (post(b"A: b\r\n Content-Length: 0\r\n" + length(5), FIVE), NO | YES),
}


def _lengths() -> Iterator[tuple[str, Case]]:
    for name, value in LENGTHS_THAT_ARE_NONE.items():
        yield f"no length: {name}", Case(post(length(value), FIVE), NO, method="POST")
    yield from _posts(LENGTHS, "length")
    raw = post(b"Content_Length: 5\r\n", FIVE)
    yield "no length: underscore in the name", Case(raw, NO | THEN_NO, b"", "POST")
    yield "no length: none, and a body", Case(post(b"", FIVE), NO | THEN_NO, b"", "POST")


CHUNK_SIZES_THAT_ARE_NONE = {
    "0x": b"0x5",
    "plus": b"+5",
    "minus": b"-5",
    "minus nothing": b"-0",
    "empty": b"",
    "a blank before": b" 5",
    "a tab before": b"\t5",
    "a blank within": b"0 5",
    "not hex": b"g",
    "h after": b"5h",
    "a comma": b"5,5",
    "a point": b"5.",
    "an underscore": b"0_5",
    "quoted": b'"5"',
    "NUL": b"5\x00",
    "vertical tab": b"5\x0b",
    "superscript": b"\xb2",
    "2^64 and five": b"10000000000000005",
    "2^68": b"fffffffffffffffff",
    "2^128 and five": b"100000000000000000000000000000005",
    "too small by one": b"4",
    "too large by one": b"6",
    "an extension with a bare LF": b"5;a\nb",
    "an extension with a bare LF at once": b"5;\n",
    "an extension with a bare CR": b"5;a\rb",
    "an extension with NUL": b"5;a\x00b",
    "a quoted extension with CR LF": b'5;a="\r\n"',
    "CR CR": b"5\r",
    "LF before": b"\n5",
    "CR LF before": b"\r\n5",
}

# All of the body, up to its end.
CHUNKS = {
    "two": (chunk(b'{"') + chunk(b'a"}') + b"0\r\n\r\n", YES),
    "capitals and zeros": (b"0005\r\n" + FIVE + b"\r\n0\r\n\r\n", YES),
    "many zeros": (b"0" * 300 + b"5\r\n" + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "many zeros at the end": (chunk(FIVE) + b"0" * 10 + b"\r\n\r\n", NO | YES),
    "extension": (b"5;a=b\r\n" + FIVE + b"\r\n0;c\r\n\r\n", YES),
    "quoted extension": (b'5;a="b c"\r\n' + FIVE + b"\r\n0\r\n\r\n", YES),
    "quoted extension with an escape": (b'5;a="b\\"c"\r\n' + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "extension without a name": (b"5;\r\n" + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "blank before an extension": (b"5 ;a=b\r\n" + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "blank after the size": (b"5 \r\n" + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "extension of 1,000 bytes": (b"5;" + b"a" * 1000 + b"\r\n" + FIVE + b"\r\n0\r\n\r\n", NO | YES),
    "extension of 1 MB": (b"5;" + b"a" * 1_000_000 + b"\r\n" + FIVE + b"\r\n0\r\n\r\n", NO),
    "extensions without end": ((b"1;" + b"a" * 15_000 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n", NO),
    "size ended by LF": (b"5\n" + FIVE + b"\r\n0\r\n\r\n", NO),
    "size ended by CR": (b"5\r" + FIVE + b"\r\n0\r\n\r\n", NO),
    "data ended by LF": (b"5\r\n" + FIVE + b"\n0\r\n\r\n", NO),
    "data ended by CR": (b"5\r\n" + FIVE + b"\r0\r\n\r\n", NO),
    "data ended by nothing": (b"5\r\n" + FIVE + b"0\r\n\r\n", NO),
    "data ended by two others": (b"5\r\n" + FIVE + b"XX0\r\n\r\n", NO),
    "an empty line between": (chunk(FIVE) + b"\r\n0\r\n\r\n", NO),
    "the last ended by LF": (chunk(FIVE) + b"0\n\r\n", NO),
    "all ended by LF": (b"5\n" + FIVE + b"\n0\n\n", NO),
    "the end ended by LF": (chunk(FIVE) + b"0\r\n\n", NO),
    "the end is CR and something": (chunk(FIVE) + b"0\r\n\rX", NO),
    "the end is two others": (chunk(FIVE) + b"0\r\nXX", NO),
    "no last": (chunk(FIVE) + b"\r\n\r\n", NO),
    "trailer": (chunk(FIVE) + b"0\r\nA: b\r\n\r\n", NO | YES),
    "trailers that say how long": (chunk(FIVE) + b"0\r\nContent-Length: 50\r\n\r\n", NO | YES),
    "trailers that say chunked": (chunk(FIVE) + b"0\r\n" + CHUNKED + b"\r\n", NO | YES),
    "trailers that authorize": (
        chunk(FIVE) + b"0\r\nAuthorization: Bearer x\r\nHost: y\r\n\r\n",
        NO | YES,
    ),
    "trailer without a colon": (chunk(FIVE) + b"0\r\nab\r\n\r\n", NO),
    "trailer that is a request": (chunk(FIVE) + b"0\r\n" + HIDDEN, NO),
    "trailer ended by LF": (chunk(FIVE) + b"0\r\nA: b\n\r\n", NO),
    "trailer with a bare CR": (chunk(FIVE) + b"0\r\nA: b\rC: d\r\n\r\n", NO),
    "trailer with a blank before the colon": (chunk(FIVE) + b"0\r\nA : b\r\n\r\n", NO),
    "trailer with NUL": (chunk(FIVE) + b"0\r\nA: \x00\r\n\r\n", NO),
    "trailer of 1 MB": (chunk(FIVE) + b"0\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n", NO),
    "10,000 trailers": (chunk(FIVE) + b"0\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", NO),
}


def _chunks() -> Iterator[tuple[str, Case]]:
    for name, size in CHUNK_SIZES_THAT_ARE_NONE.items():
        body = size + b"\r\n" + FIVE + b"\r\n0\r\n\r\n"
        yield f"no chunk size: {name}", Case(post(CHUNKED, body), NO, method="POST")
    for name, (body, allowed) in CHUNKS.items():
        yield f"chunks: {name}", Case(post(CHUNKED, body), allowed, FIVE, "POST")
    body = (b"1;" + b"a" * 100 + b"\r\nx\r\n") * 2_000 + b"0\r\n\r\n"
    yield "chunks: 2,000 extensions", Case(post(CHUNKED, body), NO | YES, b"x" * 2_000, "POST")
    body = b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
    yield "chunks: 5,000 of a byte", Case(post(CHUNKED, body), YES, b"x" * 5_000, "POST")
    raw = post(CHUNKED, chunk(HIDDEN) + b"0\r\n\r\n")
    yield "chunks: a request in one", Case(raw, YES, HIDDEN, "POST")
    raw = post(CHUNKED, chunk(b"0\r\n\r\n" + HIDDEN) + b"0\r\n\r\n")
    yield "chunks: an end and a request in one", Case(raw, YES, b"0\r\n\r\n" + HIDDEN, "POST")


LINE = b"GET /000/first HTTP/1.1"
LINE_ENDS = {
    "LF after the request line": (LINE + b"\n" + HOST + b"\r\n", NO),
    "LF after a field": (LINE + b"\r\nHost: x\n\r\n", NO),
    "LF between fields": (LINE + b"\r\nHost: x\nA: b\r\n\r\n", NO),
    "LF for the empty line": (LINE + b"\r\n" + HOST + b"\n", NO),
    "LF everywhere": (LINE + b"\nHost: x\n\n", NO),
    "LF CR for the end": (LINE + b"\r\n" + b"Host: x\n\r\n", NO),
    "LF LF": (LINE + b"\r\nHost: x\n\n", NO),
    "CR after the request line": (LINE + b"\r" + HOST + b"\r\n", NO),
    "CR after a field": (LINE + b"\r\nHost: x\r\r\n", NO),
    "CR CR LF after the request line": (LINE + b"\r\r\n" + HOST + b"\r\n", NO),
    "CR between fields": (LINE + b"\r\nHost: x\rA: b\r\n\r\n", NO),
    "CR CR LF at the end": (LINE + b"\r\n" + HOST + b"\r\r\n", NO),
    "CR in a name": (LINE + b"\r\n" + HOST + b"A\rB: c\r\n\r\n", NO),
    "CR before a value": (LINE + b"\r\n" + HOST + b"A:\rb\r\n\r\n", NO),
    "CR everywhere": (LINE + b"\rHost: x\r\r", NO),
    "CR at the end of a value": (LINE + b"\r\n" + HOST + b"A: b\r\r\n\r\n", NO),
    "LF at the end of a name": (LINE + b"\r\n" + HOST + b"A\n: b\r\n\r\n", NO),
    "LF at the beginning of a value": (LINE + b"\r\n" + HOST + b"A:\n b\r\n\r\n", NO),
    "fold": (get(b"A: b\r\n c\r\n"), NO | YES),
    "fold with a tab": (get(b"A: b\r\n\tc\r\n"), NO | YES),
    "fold of nothing": (get(b"A: b\r\n \r\n"), NO | YES),
    "fold after LF": (get(b"A: b\n c\r\n"), NO),
    "fold before any field": (LINE + b"\r\n A: b\r\n" + HOST + b"\r\n", NO),
    "tab before any field": (LINE + b"\r\n\tA: b\r\n" + HOST + b"\r\n", NO),
    "a blank line for the end": (LINE + b"\r\n" + HOST + b" \r\n\r\n", NO | YES),
    "an empty line before": (b"\r\n" + get(), YES),
    "two empty lines before": (b"\r\n\r\n" + get(), NO | YES),
    "LF before": (b"\n" + get(), NO | YES),
    "CR before": (b"\r" + get(), NO | YES),
    "10,000 empty lines before": (b"\r\n" * 10_000 + get(), NO | YES),
    "a blank before": (b" " + get(), NO),
    "a tab before": (b"\t" + get(), NO),
    "NUL before": (b"\x00" + get(), NO),
    "a byte order mark before": (b"\xef\xbb\xbf" + get(), NO),
    "an empty line between two": (get(b"", b"\r\n" + HIDDEN), BOTH),
    "an empty line after a body": (post(length(5), FIVE + b"\r\n"), YES),
    "a line of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n", NO | SILENT),
    "a proxy's own line": (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + get(), NO),
    "a proxy's binary line": (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + get(), NO),
}


def _line_ends() -> Iterator[tuple[str, Case]]:
    for name, (raw, allowed) in LINE_ENDS.items():
        has_body = raw.startswith(b"POST")
        case = Case(raw, allowed, FIVE, "POST") if has_body else Case(raw, allowed)
        yield f"line ends: {name}", case
    for end, raw in {"LF": b"\n", "LF LF": b"\n\n"}.items():
        request = b"POST /000/first HTTP/1.1" + raw + HOST + length(5) + b"\r\n" + FIVE
        yield f"line ends: {end} after the line of a POST", Case(request, NO, method="POST")


WITHOUT_NAME = b'()<>@,;:\\"/[]?={} \x7f\x80\xff\x00\x01\t'
FIELDS = {
    "no colon": (get(b"Ab\r\n"), NO),
    "no name": (get(b": b\r\n"), NO),
    "no value": (get(b"A:\r\n"), YES),
    "a blank before the colon": (get(b"A : b\r\n"), NO),
    "every letter a name may have": (get(b"Az09!#$%&'*+-.^_`|~: b\r\n"), NO | YES),
    "letters of other scripts in a value": (get("A: grüß 💩\r\n".encode()), YES),
    "NUL in a value": (get(b"A: b\x00c\r\n"), NO),
    "bell in a value": (get(b"A: b\x07c\r\n"), NO | YES),
    "DEL in a value": (get(b"A: b\x7fc\r\n"), NO | YES),
    "tab in a value": (get(b"A: b\tc\r\n"), YES),
    "64 of them": (get(b"A: b\r\n" * 60), YES),
    "a value of 8,000 bytes": (get(b"A: " + b"b" * 8_000 + b"\r\n"), YES),
    "a value of 1 MB": (get(b"A: " + b"b" * 1_000_000 + b"\r\n"), NO),
    "a name of 1 MB": (get(b"A" * 1_000_000 + b": b\r\n"), NO),
    "3,500 of them": (get(b"".join(b"A%04d: 12345678\r\n" % n for n in range(3_500))), NO),
    "50,000 short ones": (get(b"A:\r\n" * 50_000), NO),
    "blanks without end": (get(b"A:" + b" " * 1_000_000 + b"b\r\n"), NO),
    "folds without end": (get(b"A: b\r\n" + b" c\r\n" * 100_000), NO),
}

HOSTS = {
    "none": (LINE + b"\r\n\r\n", NO),
    "none, and others": (LINE + b"\r\nA: b\r\n\r\n", NO),
    "two": (LINE + b"\r\n" + HOST + b"Host: y\r\n\r\n", NO),
    "the same twice": (LINE + b"\r\n" + HOST + HOST + b"\r\n", NO),
    "two, one in capitals": (LINE + b"\r\n" + HOST + b"HOST: y\r\n\r\n", NO),
    "empty": (LINE + b"\r\nHost:\r\n\r\n", NO | YES),
    "a blank within": (LINE + b"\r\nHost: x y\r\n\r\n", NO),
    "a user": (LINE + b"\r\nHost: u@x\r\n\r\n", NO),
    "a slash": (LINE + b"\r\nHost: x/y\r\n\r\n", NO),
    "a query": (LINE + b"\r\nHost: x?y\r\n\r\n", NO),
    "a fragment": (LINE + b"\r\nHost: x#y\r\n\r\n", NO),
    "a backslash": (LINE + b"\r\nHost: x\\y\r\n\r\n", NO),
    "a comma": (LINE + b"\r\nHost: x, y\r\n\r\n", NO),
    "a comma without a blank": (LINE + b"\r\nHost: x,y\r\n\r\n", NO | YES),
    "a port that is none": (LINE + b"\r\nHost: x:http\r\n\r\n", NO),
    "two ports": (LINE + b"\r\nHost: x:1:2\r\n\r\n", NO),
    "a port of nothing": (LINE + b"\r\nHost: x:\r\n\r\n", NO | YES),
    "a port": (LINE + b"\r\nHost: x:80\r\n\r\n", YES),
    "an address": (LINE + b"\r\nHost: [::1]:80\r\n\r\n", YES),
    "half an address": (LINE + b"\r\nHost: [::1\r\n\r\n", NO),
    "NUL": (LINE + b"\r\nHost: x\x00y\r\n\r\n", NO),
    "another script": (LINE + b"\r\nHost: x\xff\r\n\r\n", NO | YES),
    "folded": (LINE + b"\r\nHost:\r\n x\r\n\r\n", NO | YES),
    "blank before the colon": (LINE + b"\r\nHost : x\r\n\r\n", NO),
}

REQUEST_LINES = {
    "HTTP/0.9": (b"GET /000/first\r\n\r\n", NO | SILENT),
    "HTTP/0.9 with fields": (b"GET /000/first\r\n" + HOST + b"\r\n", NO | SILENT),
    "HTTP/0.9 ended by LF, with fields": (b"GET /000/first\n" + HOST + b"\r\n", NO | SILENT),
    "HTTP/0.9 by name": (get(line=b"GET /000/first HTTP/0.9"), NO | SILENT),
    "HTTP/1.0": (get(line=b"GET /000/first HTTP/1.0"), LAST),
    "HTTP/1.0 without a host": (b"GET /000/first HTTP/1.0\r\n\r\n", LAST),
    "HTTP/1.0 kept": (get(b"Connection: keep-alive\r\n", line=b"GET /000/first HTTP/1.0"), LAST | YES),
    "HTTP/1.0 kept and closed": (
        get(b"Connection: keep-alive, close\r\n", line=b"GET /000/first HTTP/1.0"),
        LAST,
    ),
    "HTTP/1.2": (get(line=b"GET /000/first HTTP/1.2"), NO | YES),
    "HTTP/1.9": (get(line=b"GET /000/first HTTP/1.9"), NO | YES),
    "HTTP/2": (get(line=b"GET /000/first HTTP/2"), NO),
    "HTTP/2.0": (get(line=b"GET /000/first HTTP/2.0"), NO),
    "HTTP/3.0": (get(line=b"GET /000/first HTTP/3.0"), NO),
    "HTTP/9.9": (get(line=b"GET /000/first HTTP/9.9"), NO),
    "HTTP/1.10": (get(line=b"GET /000/first HTTP/1.10"), NO),
    "HTTP/11.1": (get(line=b"GET /000/first HTTP/11.1"), NO),
    "HTTP/01.1": (get(line=b"GET /000/first HTTP/01.1"), NO),
    "HTTP/1.": (get(line=b"GET /000/first HTTP/1."), NO),
    "HTTP/": (get(line=b"GET /000/first HTTP/"), NO),
    "HTTP/1,1": (get(line=b"GET /000/first HTTP/1,1"), NO),
    "HTTP/-1.1": (get(line=b"GET /000/first HTTP/-1.1"), NO),
    "HTTP/1.1 and a letter": (get(line=b"GET /000/first HTTP/1.1x"), NO),
    "HTTP/1.1 and a blank": (get(line=b"GET /000/first HTTP/1.1 "), NO),
    "HTTP/1.1 and a word": (get(line=b"GET /000/first HTTP/1.1 x"), NO),
    "HTTP/1.1 and NUL": (get(line=b"GET /000/first HTTP/1.1\x00"), NO),
    "HTTP /1.1": (get(line=b"GET /000/first HTTP /1.1"), NO),
    "http/1.1": (get(line=b"GET /000/first http/1.1"), NO),
    "HTTPS/1.1": (get(line=b"GET /000/first HTTPS/1.1"), NO),
    "RTSP/1.0": (get(line=b"GET /000/first RTSP/1.0"), NO),
    "ICE/1.0": (get(line=b"SOURCE /000/first ICE/1.0"), NO),
    "RTSP and its method": (get(line=b"DESCRIBE /000/first RTSP/1.0"), NO),
    "two blanks before the target": (get(line=b"GET  /000/first HTTP/1.1"), NO | YES),
    "two blanks before the version": (get(line=b"GET /000/first  HTTP/1.1"), NO | YES),
    "tabs": (get(line=b"GET\t/000/first\tHTTP/1.1"), NO | YES),
    "vertical tabs": (get(line=b"GET\x0b/000/first\x0bHTTP/1.1"), NO),
    "a blank in the target": (get(line=b"GET /000/first x HTTP/1.1"), NO),
    "a request in the target": (get(line=b"GET /000/first HTTP/1.1 GET /000/hidden HTTP/1.1"), NO),
    "a tab in the target": (get(line=b"GET /000/first\tx HTTP/1.1"), NO),
    "no target": (get(line=b"GET HTTP/1.1"), NO),
    "no target, two blanks": (get(line=b"GET  HTTP/1.1"), NO),
    "no method": (get(line=b" /000/first HTTP/1.1"), NO),
    "no method at all": (get(line=b"/000/first HTTP/1.1"), NO),
    "NUL in the target": (get(line=b"GET /000/fi\x00rst HTTP/1.1"), NO),
    "a bell in the target": (get(line=b"GET /000/fi\x07rst HTTP/1.1"), NO),
    "DEL in the target": (get(line=b"GET /000/fi\x7frst HTTP/1.1"), NO),
    "CR in the target": (get(line=b"GET /000/fi\rrst HTTP/1.1"), NO),
    "LF in the target": (get(line=b"GET /000/fi\nrst HTTP/1.1"), NO),
    "a method with brackets": (get(line=b"G(E)T /000/first HTTP/1.1"), NO),
    "a method with NUL": (get(line=b"GE\x00T /000/first HTTP/1.1"), NO),
    "a method with another script": (get(line=b"G\xc3\x8bT /000/first HTTP/1.1"), NO),
    "a method of 100,000 letters": (get(line=b"A" * 100_000 + b" /000/first HTTP/1.1"), NO),
    "a target of 7,900 bytes": (get(line=b"GET /000/" + b"a" * 7_880 + b"/first HTTP/1.1"), YES),
    "a target of 1 MB": (get(line=b"GET /" + b"a" * 1_000_000 + b"/first HTTP/1.1"), NO),
    "HTTP/2 by prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), NO | SILENT),
    "absolute": (get(line=b"GET http://x/000/first HTTP/1.1"), YES),
    "absolute, another host": (get(line=b"GET http://y/000/first HTTP/1.1"), NO | YES),
    "absolute, no host": (b"GET http://x/000/first HTTP/1.1\r\n\r\n", NO),
    "absolute, with a user": (get(line=b"GET http://u@x/000/first HTTP/1.1"), NO | YES),
    "two slashes": (get(line=b"GET //x/000/first HTTP/1.1"), YES),
    "a query": (get(line=b"GET /000/first?a=b%20c HTTP/1.1"), YES),
    "a fragment": (get(line=b"GET /000/first#x HTTP/1.1"), NO | YES),
    "NUL, encoded": (get(line=b"GET /000/%00/first HTTP/1.1"), YES),
    "half an encoded byte": (get(line=b"GET /000/%4/first HTTP/1.1"), NO | YES),
    "a backslash": (get(line=b"GET \\000/first HTTP/1.1"), NO | YES),
    "letters that want encoding": (get(line=b'GET /000/<"{|}^`>/first HTTP/1.1'), NO | YES),
    "another script": (get(line="GET /000/ü/first HTTP/1.1".encode()), NO | YES),
}

METHODS = {
    # Methods are case-sensitive, so an application may be asked, but not for another one.
    "get": NO | YES,
    "Get": NO | YES,
    "FOO": NO | YES,
    "GETGET": NO | YES,
    "QUERY": NO | YES,
    "TRACE": NO | YES,
    "M-SEARCH": NO | YES,
    "PATCH": YES,
    "DELETE": YES,
    "OPTIONS": YES,
}


def _methods() -> Iterator[tuple[str, Case]]:
    for method, allowed in METHODS.items():
        line = method.encode() + b" /000/first HTTP/1.1"
        yield f"method: {method}", Case(get(line=line), allowed, b"", method)
    for name, line, target in (
        ("CONNECT", b"CONNECT x:443 HTTP/1.1", "x:443"),
        ("CONNECT to a path", b"CONNECT /000/first HTTP/1.1", "first"),
        ("a target for CONNECT", b"GET x:443 HTTP/1.1", "x:443"),
        ("* with OPTIONS", b"OPTIONS * HTTP/1.1", "*"),
        ("* with GET", b"GET * HTTP/1.1", "*"),
        ("no slash", b"GET first HTTP/1.1", "first"),
    ):
        allowed = NO | {(target,), (target, "after")}
        method = line.partition(b" ")[0].decode()
        yield f"method and target: {name}", Case(get(line=line), frozenset(allowed), b"", method)


SETTINGS = b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
CONNECTIONS = {
    "two requests at once": (get(b"", HIDDEN), BOTH),
    "a GET with a body": (get(length(5), FIVE), YES),
    "a GET with a chunked body": (get(CHUNKED, chunk(FIVE) + b"0\r\n\r\n"), YES),
    "a GET whose body is a request": (get(length(len(HIDDEN)), HIDDEN), YES),
    "a DELETE with a body": (get(length(5), FIVE, b"DELETE /000/first HTTP/1.1"), YES),
    "a HEAD with a body": (get(length(5), FIVE, b"HEAD /000/first HTTP/1.1"), YES),
    "an OPTIONS with a body": (get(length(5), FIVE, b"OPTIONS /000/first HTTP/1.1"), YES),
    "a POST without a length": (post(b"", b""), NO | YES),
    "a POST of nothing": (post(length(0), b""), YES),
    "a body that is a request": (post(length(len(HIDDEN)), HIDDEN), YES),
    "close": (get(b"Connection: close\r\n"), LAST),
    "close, and a byte": (get(b"Connection: close\r\n", b"X"), LAST),
    "close, and an empty line": (get(b"Connection: close\r\n", b"\r\n"), LAST),
    "close, and a request": (get(b"Connection: close\r\n", HIDDEN), LAST),
    "close, and noise": (get(b"Connection: close\r\n", bytes(range(256)) * 40), LAST),
    "close, a body and a byte": (post(b"Connection: close\r\n" + length(5), FIVE + b"X"), LAST),
    "close in capitals": (get(b"CONNECTION: CLOSE\r\n", HIDDEN), LAST),
    "close in a list": (get(b"Connection: keep-alive, close\r\n", HIDDEN), LAST),
    "close in a list with empty elements": (get(b"Connection: ,, close ,\r\n", HIDDEN), LAST),
    "close in a second field": (get(b"Connection: keep-alive\r\nConnection: close\r\n", HIDDEN), LAST),
    "closed": (get(b"Connection: closed\r\n"), YES),
    "an unknown option": (get(b"Connection: x-close\r\nClose: 1\r\n"), YES),
    "an option for the length": (post(b"Connection: Content-Length\r\n" + length(5), FIVE), YES),
    "upgrade to nothing": (get(b"Connection: upgrade\r\n"), YES),
    "upgrade to something": (get(b"Connection: upgrade\r\nUpgrade: foo/1\r\n"), YES),
    "upgrade without the option": (get(b"Upgrade: websocket\r\n"), YES),
    "upgrade to HTTP/2": (get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS), YES),
    "upgrade to TLS": (get(b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"), YES),
    "upgrade to HTTP/2 with a body": (
        post(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS + length(5), FIVE),
        YES,
    ),
    "upgrade to HTTP/2 with a chunked body": (
        post(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS + CHUNKED,
            chunk(FIVE) + b"0\r\n\r\n",
        ),
        YES,
    ),
    "upgrade to WebSocket by POST": (
        post(b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + length(5), FIVE),
        NO | YES,
    ),
    "100-continue": (post(b"Expect: 100-continue\r\n" + length(5), FIVE), YES),
    "100-continue in capitals": (post(b"Expect: 100-CONTINUE\r\n" + length(5), FIVE), YES),
    "100-continue, chunked": (post(b"Expect: 100-continue\r\n" + CHUNKED, chunk(FIVE) + b"0\r\n\r\n"), YES),
    "100-continue without a body": (get(b"Expect: 100-continue\r\n"), YES),
    "100-continue of HTTP/1.0": (
        post(b"Expect: 100-continue\r\n" + length(5), FIVE, b"HTTP/1.0"),
        LAST,
    ),
    "another expectation": (post(b"Expect: a miracle\r\n" + length(5), FIVE), NO | YES),
    "chunked of HTTP/1.0": (post(CHUNKED, ENDED, b"HTTP/1.0"), NO | LAST),
    "chunked of HTTP/1.0, kept": (
        post(b"Connection: keep-alive\r\n" + CHUNKED, ENDED, b"HTTP/1.0"),
        NO | LAST,
    ),
    "both lengths of HTTP/1.0": (post(CHUNKED + length(len(ENDED)), ENDED, b"HTTP/1.0"), NO | LAST),
}


def _connections() -> Iterator[tuple[str, Case]]:
    for name, (raw, allowed) in CONNECTIONS.items():
        method = raw.split(b" ", 1)[0].decode()
        body = b""
        if (b"Content-Length: 5\r\n" in raw or CHUNKED in raw) and ENDED not in raw:
            body = FIVE
        elif raw.count(HIDDEN) and length(len(HIDDEN)) in raw:
            body = HIDDEN
        yield f"connection: {name}", Case(raw, allowed, body, method)


def _fields() -> Iterator[tuple[str, Case]]:
    yield from _gets(FIELDS, "fields")
    for byte in WITHOUT_NAME:
        if byte != ord(":"):
            raw = get(b"A" + bytes([byte]) + b"B: c\r\n")
            yield f"fields: 0x{byte:02x} in a name", Case(raw, NO)


def groups() -> dict[str, dict[str, Case]]:
    made = {
        "codings": _codings(),
        "lengths": _lengths(),
        "chunks": _chunks(),
        "line ends": _line_ends(),
        "fields": _fields(),
        "hosts": _gets(HOSTS, "host"),
        "request lines": _gets(REQUEST_LINES, "request line"),
        "methods": _methods(),
        "connections": _connections(),
    }
    return {about: dict(each) for about, each in made.items()}
