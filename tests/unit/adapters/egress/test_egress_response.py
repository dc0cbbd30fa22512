"""Responses, whole and byte by byte, well-formed and not."""

import pytest

from ogel.adapters.egress import EgressError
from ogel.adapters.egress.response import (
    MAX_HEADERS,
    MAX_REMEMBERED_BYTES,
    REMEMBERED_HEADS,
    ResponseReader,
    _remembered_head,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(
    data: bytes, *, step: int | None = None, max_header: int = 16384, max_body: int = 16384
) -> ResponseReader:
    """Fed in pieces of `step` bytes; the end of the stream follows if that is what it takes."""
    reader = ResponseReader(max_header, max_body)
    step = step or len(data)
    complete = [reader.feed(data[at : at + step]) for at in range(0, len(data), step)]
    assert not any(complete[:-1]), "nothing may follow a complete response"
    assert complete[-1] or reader.end()
    return reader


@pytest.mark.parametrize("step", [None, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("data", "status", "body", "reusable"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"content-length:5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 5, 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (OK + b"Content-Length: 5\r\nConnection: Close\r\n\r\nhello", 200, b"hello", False),
        (OK + b"\r\nuntil the end", 200, b"until the end", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 302 \r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True),
        (
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 8 + OK + b"Content-Length: 2\r\n\r\nok",
            200,
            b"ok",
            True,
        ),
        (CHUNKED + b'5\r\nhello\r\n6;x="y"\r\n world\r\n0\r\n\r\n', 200, b"hello world", True),
        (CHUNKED + b"A\r\n0123456789\r\n000\r\nX-Trailer: 1\r\n\r\n", 200, b"0123456789", True),
        (CHUNKED + b"2\r\n\r\n\r\n0\r\n\r\n", 200, b"\r\n", True),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, b"ok", True),
        (
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            200,
            b"ok",
            False,
        ),
        (OK + b"Transfer-Encoding: gzip\r\n\r\nas it comes", 200, b"as it comes", False),
    ],
)
def test_a_response_is_the_same_however_it_is_cut(
    data: bytes, status: int, body: bytes, reusable: bool, step: int | None
) -> None:
    reader = read(data, step=step)
    assert (reader.status, bytes(reader.body), reader.reusable) == (status, body, reusable)
    assert not reader.truncated


def test_headers_are_kept_as_sent() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nX-One:  a b \r\nx-one: \xe4\r\nRetry-After: 5\r\nEmpty:\r\n\r\n")
    assert reader.headers == (("X-One", "a b"), ("x-one", "ä"), ("Retry-After", "5"), ("Empty", ""))


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 100\r\n\r\n" + b"x" * 100,
        OK + b"\r\n" + b"x" * 100,
        CHUNKED + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * 100,
    ],
)
def test_a_body_is_cut_at_its_limit(data: bytes) -> None:
    reader = ResponseReader(16384, 10)
    assert reader.feed(data)
    assert (bytes(reader.body), reader.truncated, reader.reusable) == (b"x" * 10, True, False)
    exact = read(OK + b"Content-Length: 10\r\n\r\n" + b"x" * 10, max_body=10)
    assert (exact.truncated, exact.reusable) == (False, True)


def test_more_than_was_asked_for_makes_the_connection_useless() -> None:
    reader = ResponseReader(16384, 16384)
    assert reader.feed(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
    assert (bytes(reader.body), reader.reusable) == (b"ok", False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 No\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
        OK + b"no colon\r\n\r\n",
        OK + b": no name\r\n\r\n",
        OK + b"Name : blank before the colon\r\n\r\n",
        OK + b"A: 1\r\n folded\r\n\r\n",
        OK + b"A: 1\nB: 2\r\n\r\n",
        OK + b"A: 1\rB: 2\r\n\r\n",
        OK + b"A: \x00\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n",
        OK + b"Content-Length: 0x5\r\n\r\n",
        OK + b"Content-Length: \xb2\r\n\r\n",
        OK + b"Content-Length:\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"1" * 17 + b"\r\n",
        CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
        CHUNKED + b"5;" + b"x" * 2000,
    ],
)
def test_what_is_not_http_is_said_to_be_so_at_once(data: bytes) -> None:
    with pytest.raises(EgressError) as failed:
        ResponseReader(16384, 16384).feed(data)
    assert failed.value.reason == "protocol"


@pytest.mark.parametrize(
    "data",
    [
        OK + b"A: 1\r\n" * 10_000,
        OK + b"A: " + b"1" * 20_000,
        OK + b"A: 1\r\n" * 10_000 + b"\r\n",
        (b"HTTP/1.1 100 Continue\r\nA: " + b"1" * 5_000 + b"\r\n\r\n") * 4,
        CHUNKED + b"0\r\n" + b"A: 1\r\n" * 10_000,
        CHUNKED + b"0\r\n" + b"A: 1\r\n" * 10_000 + b"\r\n",
    ],
)
def test_headers_and_trailers_have_a_size(data: bytes) -> None:
    with pytest.raises(EgressError) as failed:
        ResponseReader(16384, 16384).feed(data)
    assert failed.value.reason == "too_large"


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", OK, OK + b"Content-Length: 5\r\n\r\nhell", CHUNKED + b"5\r\nhello\r\n0\r\n"]
)
def test_an_end_too_early_is_not_a_response(data: bytes) -> None:
    reader = ResponseReader(16384, 16384)
    assert not reader.feed(data)
    assert not reader.end()


def test_headers_are_counted_as_well_as_weighed() -> None:
    lines = b"a:\r\n" * (MAX_HEADERS - 1) + b"Content-Length: 0\r\n"
    assert len(read(OK + lines + b"\r\n").headers) == MAX_HEADERS
    with pytest.raises(EgressError) as refused:
        read(OK + b"b:\r\n" + lines + b"\r\n")
    assert refused.value.reason == "too_large"


def test_a_remembered_head_belongs_to_nobody() -> None:
    """The same bytes give the same headers, which no reader can change for the next."""
    answers = [read(OK + b"X: 1\r\nContent-Length: 2\r\n\r\n" + body) for body in (b"ab", b"cd")]
    assert [bytes(answer.body) for answer in answers] == [b"ab", b"cd"]
    assert answers[0].headers is answers[1].headers
    assert isinstance(answers[0].headers, tuple)


def test_what_is_remembered_of_heads_is_bounded() -> None:
    big = OK + b"X: " + b"a" * MAX_REMEMBERED_BYTES + b"\r\nContent-Length: 0\r\n\r\n"
    before = _remembered_head.cache_info()
    read(big)
    after = _remembered_head.cache_info()
    assert (after.misses, after.currsize) == (before.misses, before.currsize)
    assert after.maxsize == REMEMBERED_HEADS
