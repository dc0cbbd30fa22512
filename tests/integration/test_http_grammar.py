"""What the server takes for a request, to the letter of RFC 9112: two readers must never understand two things."""

from __future__ import annotations

import asyncio

import pytest

from ogel.runtime.http import head, http1
from tests.support.http import READER, WRITER, World, ask_raw, running, story

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
KEY = f"Authorization: {WRITER['Authorization']}\r\n".encode()
POST = b"POST /api/things HTTP/1.1\r\nHost: x\r\n" + KEY
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
THING = b'{"name":"x"}'
SECOND = b"GET /api/things/second HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED: dict[str, tuple[int, bytes]] = {
    "both lengths": (400, POST + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "both, the other way": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, POST + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + THING),
    "two lengths in one": (400, POST + b"Content-Length: 12, 12\r\n\r\n" + THING),
    "a signed length": (400, POST + b"Content-Length: +12\r\n\r\n" + THING),
    "a length in hex": (400, POST + b"Content-Length: 0xc\r\n\r\n" + THING),
    "no length": (400, POST + b"Content-Length:\r\n\r\n" + THING),
    "a huge length": (400, POST + b"Content-Length: 99999999999999999999\r\n\r\n" + THING),
    "line feeds only": (400, b"GET /health/live HTTP/1.1\nHost: x\n\n"),
    "one line feed": (400, b"GET /health/live HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    "a line feed in the end": (400, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\n"),
    "a carriage return in a value": (400, GET + b"A: b\rc\r\n\r\n"),
    "a folded line": (400, GET + b"A: b\r\n c\r\n\r\n"),
    "a folded coding": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "a folded first line": (400, b"GET /health/live HTTP/1.1\r\n Host: x\r\n\r\n"),
    "an unknown coding": (400, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked is not last": (400, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "chunked in two fields": (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"),
    "quoted": (400, POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    "gzip, chunked": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked in 1.0": (400, b"POST /api/things HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "version 9.9": (505, b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n"),
    "version 2.0": (505, b"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n"),
    "version 1.2": (505, b"GET /health/live HTTP/1.2\r\nHost: x\r\n\r\n"),
    "version 1.10": (400, b"GET /health/live HTTP/1.10\r\nHost: x\r\n\r\n"),
    "a small version": (400, b"GET /health/live http/1.1\r\nHost: x\r\n\r\n"),
    "no version": (400, b"GET /health/live\r\n\r\n"),
    "two spaces": (400, b"GET  /health/live HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a tab": (400, b"GET\t/health/live\tHTTP/1.1\r\nHost: x\r\n\r\n"),
    "a space in the target": (400, b"GET /health /live HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a space behind": (400, b"GET /health/live HTTP/1.1 \r\nHost: x\r\n\r\n"),
    "a control in the target": (400, b"GET /health\x01live HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a letter in the target": (400, "GET /café HTTP/1.1\r\nHost: x\r\n\r\n".encode()),
    "a target without a slash": (400, b"GET health/live HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a space before the colon": (400, GET + b"A : b\r\n\r\n"),
    "a coding with a space": (400, POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "no colon": (400, GET + b"A\r\n\r\n"),
    "no name": (400, GET + b": b\r\n\r\n"),
    "NUL in a name": (400, GET + b"A\0: b\r\n\r\n"),
    "NUL in a value": (400, GET + b"A: b\0\r\n\r\n"),
    "a control in a value": (400, GET + b"A: b\x1b\r\n\r\n"),
    "no Host": (400, b"GET /health/live HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, GET + b"Host: x\r\n\r\n"),
    "two names of a host": (400, b"GET /health/live HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    "a wrong Host": (400, b"GET /health/live HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\n\r\n\r\n"),
    "a size with junk": (400, CHUNKED + b"cx\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a size in 0x": (400, CHUNKED + b"0xc\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a negative size": (400, CHUNKED + b"-c\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a size with a space": (400, CHUNKED + b"c \r\n" + THING + b"\r\n0\r\n\r\n"),
    "no size": (400, CHUNKED + b"\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a huge size": (400, CHUNKED + b"f" * 17 + b"\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a line feed behind a size": (400, CHUNKED + b"c\n" + THING + b"\r\n0\r\n\r\n"),
    "a line feed behind a chunk": (400, CHUNKED + b"c\r\n" + THING + b"\n0\r\n\r\n"),
    "a chunk too long": (400, CHUNKED + b"b\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a malformed extension": (400, CHUNKED + b"c;\x01\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a long extension": (400, CHUNKED + b"c;a=" + b"b" * 1000 + b"\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a malformed trailer": (400, CHUNKED + b"c\r\n" + THING + b"\r\n0\r\nA : b\r\n\r\n"),
    "trailers without end": (400, CHUNKED + b"c\r\n" + THING + b"\r\n0\r\n" + b"A: b\r\n" * 10_000),
    "extensions without end": (400, CHUNKED + (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 1000),
    "a long target": (414, b"GET /" + b"a" * head.MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a target without end": (414, b"GET /" + b"a" * 100_000),
    "a long head": (431, GET + b"A: " + b"b" * head.MAX_HEAD_BYTES + b"\r\n\r\n"),
    "a head without end": (431, GET + b"A: b\r\n" * 20_000),
    "many fields": (431, GET + b"A: b\r\n" * head.MAX_FIELDS + b"\r\n"),
    "a WebSocket with a body": (
        400, GET + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_and_hung_up_on(case: str) -> None:
    status, sent = REFUSED[case]

    @story
    async def told() -> None:
        async with running() as world:
            raw = await ask_raw(world, sent + SECOND)
        answer, _, rest = raw.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status), raw
        assert b"\r\nconnection: close" in answer
        assert b"application/problem+json" in answer
        # What stood behind it was no request either.
        assert b"HTTP/1.1" not in rest

    told()


TAKEN: dict[str, tuple[int, bytes]] = {
    "an empty line before": (200, b"\r\n" + GET + b"\r\n"),
    "some empty lines": (200, b"\r\n\r\n\r\n" + GET + b"\r\n"),
    "an empty Host": (200, b"GET /health/live HTTP/1.1\r\nHost:\r\n\r\n"),
    "a Host with a port": (200, b"GET /health/live HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    "spaces around a value": (200, b"GET /health/live HTTP/1.1\r\nHost: \t x \t\r\nA:b\r\nC:\r\n\r\n"),
    "letters in a value": (200, GET + b"A: \xc3\xa9\xff\r\n\r\n"),
    "1.0 without Host": (200, b"GET /health/live HTTP/1.0\r\n\r\n"),
    "an unknown method": (405, b"BREW /health/live HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an asterisk": (404, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a proxy's question": (404, b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"),
    "an upgrade we do not know": (200, GET + b"Connection: upgrade\r\nUpgrade: foo\r\n\r\n"),
    "chunks": (201, CHUNKED + b"5\r\n" + THING[:5] + b"\r\n7\r\n" + THING[5:] + b"\r\n0\r\n\r\n"),
    "small chunks": (201, CHUNKED + b"".join(b"1\r\n%c\r\n" % each for each in THING) + b"0\r\n\r\n"),
    "sizes with zeros": (201, CHUNKED + b"000C\r\n" + THING + b"\r\n00\r\n\r\n"),
    "extensions and trailers": (
        201, CHUNKED + b'c;a;b=c;d="e;\\"f"\r\n' + THING + b"\r\n0;x\r\nA: b\r\nC:\r\n\r\n"),
    "Chunked in capitals": (201, POST + b"Transfer-Encoding: Chunked\r\n\r\nc\r\n" + THING + b"\r\n0\r\n\r\n"),
    "a long target": (404, b"GET /" + b"a" * (head.MAX_TARGET_BYTES - 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "as many fields as may be": (200, GET + b"A: b\r\n" * (head.MAX_FIELDS - 2) + b"\r\n"),
    "a large head": (200, GET + b"A: " + b"b" * (head.MAX_HEAD_BYTES - 100) + b"\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_a_request_is_answered_however_it_arrives(case: str) -> None:
    """And the connection goes on behind it, so its end was found."""
    status, sent = TAKEN[case]
    last = SECOND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    @story
    async def told() -> None:
        async with running() as world:
            for size in (len(sent) + len(last), 7) if len(sent) < 1000 else (1_000_000,):
                raw = await in_pieces(world, sent + last, size)
                assert raw.startswith(b"HTTP/1.1 %d " % status), raw
                closed = b"HTTP/1.0" in sent
                assert raw.count(b"HTTP/1.1 ") == (1 if closed else 2)
                assert closed or b"HTTP/1.1 401 " in raw

    told()


async def in_pieces(world: World, sent: bytes, size: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    for start in range(0, len(sent), size):
        writer.write(sent[start : start + size])
        await asyncio.sleep(0)
    answer = await reader.read()
    writer.close()
    return answer


@story
async def test_what_follows_a_last_request_is_ignored() -> None:
    async with running() as world:
        for trailing in (b"x", b"\r\n", SECOND, b"\0" * 100_000):
            raw = await ask_raw(world, GET + b"Connection: close\r\n\r\n" + trailing)
            assert raw.startswith(b"HTTP/1.1 200 ") and raw.count(b"HTTP/1.1") == 1
            assert b"connection: close" in raw


def test_a_head_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "HEAD_SECONDS", 0.1)
    a_head_that_takes_too_long()


@story
async def a_head_that_takes_too_long() -> None:
    async with running() as world:
        for begun in (b"G", GET, GET + b"A"):
            raw = await ask_raw(world, begun)
            assert raw.startswith(b"HTTP/1.1 408 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(GET + b"\r\nGET /")  # the second one is not forgotten for the first
        assert b" 408 " in await reader.read()
        writer.close()


@story
async def test_old_clients_keep_their_connection_when_they_ask_for_it() -> None:
    async with running() as world:
        old = b"GET /health/live HTTP/1.0\r\n"
        raw = await ask_raw(world, old + b"Connection: Keep-Alive\r\n\r\n" + old + b"\r\n")
        assert raw.count(b"HTTP/1.1 200 ") == 2
        assert raw.count(b"connection: keep-alive") == raw.count(b"connection: close") == 1


@story
async def test_a_client_that_waits_for_our_word() -> None:
    asks = b"Expect: 100-Continue\r\nContent-Length: 12\r\n"
    async with running() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(POST + asks + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(THING)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
        # Who did not wait gets no word; neither does who is refused, and nobody could tell what comes next.
        writer.write(POST + asks + b"Connection: close\r\n\r\n" + THING)
        assert b"HTTP/1.1 201 " in (rest := await reader.read()) and b" 100 " not in rest
        writer.close()
        raw = await ask_raw(world, (POST + asks + b"\r\n").replace(b"writer", b"nobody"))
        assert raw.startswith(b"HTTP/1.1 401 ") and b"connection: close" in raw


@story
async def test_answers_without_a_body_have_none() -> None:
    key = f"Authorization: {READER['Authorization']}\r\n".encode()
    async with running() as world:
        raw = await ask_raw(
            world,
            b"HEAD /api/things/1 HTTP/1.1\r\nHost: x\r\n" + key + b"\r\n"
            b"DELETE /api/things/1 HTTP/1.1\r\nHost: x\r\n"
            + KEY
            + b"\r\n"
            + GET
            + b"Connection: close\r\n\r\n",
        )
        head_, removed, live, body = raw.split(b"\r\n\r\n")
        assert head_.startswith(b"HTTP/1.1 200 ") and b"content-length: " in head_
        assert removed.startswith(b"HTTP/1.1 204 ") and b"content-length" not in removed
        assert live.startswith(b"HTTP/1.1 200 ") and body == b'{"status":"alive"}\n'
        assert raw.count(b"\r\ndate: ") == 3
