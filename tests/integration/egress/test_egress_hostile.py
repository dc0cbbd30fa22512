"""Receivers that mean harm: each is let go of in time, having cost us little."""

import asyncio
import contextlib
import gzip
import os
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from ogel.adapters.egress import EgressClient, EgressError
from tests.support.egress_receiver import Receiver, Run, Visit, a_client, failure, send
from tests.support.memory import forget_peak, peak_resident_bytes, resident_bytes
from tests.support.receivers.hostile import HostileReceivers

CAP = 16384
DEADLINE_SECONDS = 0.2


def drip(first: bytes, drop: bytes) -> Callable[[Visit], object]:
    """Something new every 10 ms, for as long as anybody listens."""

    async def answer(visit: Visit) -> None:
        visit.write(first)
        while True:
            visit.write(drop)
            await asyncio.sleep(0.01)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\n", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"a"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"a"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: ", b"a"),
        drip(b"", b""),
    ],
    ids=["line", "header", "sized body", "endless body", "chunks", "chunk line", "trailer", "1xx", "silence"],
)
def test_a_drip_ends_at_the_deadline(run: Run, answer: Callable[[Visit], object]) -> None:
    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            started = time.monotonic()
            error = await failure(client, receiver.url, timeout_seconds=DEADLINE_SECONDS)
            assert DEADLINE_SECONDS <= time.monotonic() - started < DEADLINE_SECONDS + 1
            assert error.reason == "timeout"
            assert error.timings.total >= DEADLINE_SECONDS
            assert (client._slots.taken, len(client._idle)) == (0, 0)

    run(story())


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1073741824", b"X: until closed", b"Transfer-Encoding: chunked"]
)
def test_a_gigabyte_is_cut_after_the_cap(run: Run, framing: bytes) -> None:
    """1 GiB is 16,384 blocks; a cut connection stops it after what the socket buffers hold."""
    blocks = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal blocks
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        block = b"x" * 65536
        if b"chunked" in framing:
            block = b"10000\r\n" + block + b"\r\n"
        try:
            for _ in range(16_384):
                writer.write(block)
                await writer.drain()
                blocks += 1
        except ConnectionError:
            writer.transport.abort()

    async def story() -> None:
        async with raw_server(flood) as url, a_client() as client:
            tracemalloc.start()
            exchange = await send(client, url, max_body_bytes=CAP)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (exchange.status, exchange.body, exchange.truncated) == (200, b"x" * CAP, True)
            assert peak < 8_000_000
            assert len(client._idle) == 0

    run(story())
    assert blocks < 1_000


def test_a_gzip_bomb_stays_packed(run: Run) -> None:
    bomb = gzip.compress(bytes(8_000_000))

    async def answer(visit: Visit) -> None:
        assert b"Accept-Encoding: identity\r\n" in visit.head
        visit.write(
            f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
            + bomb
        )

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            exchange = await send(client, receiver.url)
        assert exchange.body == bomb

    run(story())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 10_000 + b"\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 1_000 + b"\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"1" * 1_000_000, "too_large"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, "protocol"),
        (
            b"HTTP/1.1 103 Early\r\nA: " + b"1" * 9000 + b"\r\n\r\nHTTP/1.1 103 E\r\nA: " + b"1" * 9000,
            "too_large",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "protocol"),
        (bytes(1_000_000), "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "protocol"),
    ],
    ids=[
        "10,000 headers",
        "1,000 tiny headers",
        "one header",
        "endless 1xx",
        "fat 1xx",
        "ssh",
        "tls",
        "zeros",
        "two lengths",
    ],
)
def test_what_is_too_much_or_no_http_is_cut_at_once(run: Run, message: bytes, reason: str) -> None:
    async def answer(visit: Visit) -> None:
        visit.write(message)

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            error = await failure(client, receiver.url)
            assert (error.reason, error.peer) == (reason, "127.0.0.1")
            assert (client._slots.taken, len(client._idle)) == (0, 0)

    run(story())


def test_a_reset_is_told_from_silence(run: Run) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        # Closing with a zero linger sends RST instead of FIN.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async def story() -> None:
        async with raw_server(reset) as url, a_client() as client:
            assert (await failure(client, url)).reason == "reset"

    run(story())


def test_an_answer_before_the_whole_request_was_read_spoils_the_connection(run: Run) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()  # until the client leaves
        writer.transport.abort()

    async def story() -> None:
        async with raw_server(hasty) as url, a_client() as client:
            exchange = await send(client, url, body=bytes(30_000_000))
            assert exchange.status == 413
            assert len(client._idle) == 0

    run(story())


def test_an_answer_nobody_asked_for_is_never_taken_for_the_next(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        visit.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Evil\r\nContent-Length: 0\r\n\r\n"
        )

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            statuses = [(await send(client, receiver.url)).status for _ in range(3)]
        assert statuses == [200, 200, 200]
        assert receiver.connections == 3

    run(story())


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileReceivers]:
    with HostileReceivers() as receivers:
        yield receivers


def test_many_of_every_kind_at_once_cost_little_memory_and_no_time(
    run: Run, hostile: HostileReceivers
) -> None:
    """The receivers, in another process, see every connection end in time, too."""
    deadline_seconds, of_each, megabyte = 0.5, 10, 1024 * 1024

    async def attempt(client: EgressClient, url: str) -> float:
        started = time.monotonic()
        # Some are answers, cut at the cap; most are errors.
        with contextlib.suppress(EgressError):
            await send(client, url, timeout_seconds=deadline_seconds, max_body_bytes=CAP)
        return time.monotonic() - started

    async def story() -> None:
        async with a_client() as client:
            urls = list(hostile.urls.values())
            await asyncio.gather(*(attempt(client, url) for url in urls))  # load what is loaded once
            resident = resident_bytes(os.getpid())
            forget_peak(os.getpid())
            took = await asyncio.gather(*(attempt(client, url) for url in urls * of_each))
            assert max(took) < deadline_seconds + 1
            grown = peak_resident_bytes(os.getpid()) - resident
            assert grown < 20 * megabyte, f"{grown / megabyte:.1f} MB"
            assert (client._slots.taken, len(client._idle)) == (0, 0)

    before = {way: len(stays) for way, stays in hostile.stays().items()}
    run(story())
    for way, stays in hostile.stays().items():
        assert len(stays) - before.get(way, 0) == of_each + 1, way
        for stay in stays:
            assert stay.closed is not None, way
            assert stay.closed - stay.opened < deadline_seconds + 1, way


@asynccontextmanager
async def raw_server(serve: Callable[..., object]) -> AsyncIterator[str]:
    """For receivers that do not even pretend to speak HTTP."""
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(serve(reader, writer)))  # type: ignore[arg-type]

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with asyncio.timeout(5):
            await asyncio.gather(*serving)
