"""Those who are slow, who flood, who leave: whatever they do, everybody else is served meanwhile."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from tests.support.door import Recorder, Wire, answers, door, exchange, going_on, others_are_served, wire
from tests.support.http import WRITER, running, story
from tests.support.http_corpus import AFTER, CHUNKED, FIVE, length, post

HEAD = b"GET /first HTTP/1.1\r\nHost: x\r\n"
ASK = HEAD + b"\r\n"
# From which on the server should know, with all that a busy machine may add.
A_SECOND = 1.0
SLACK_SECONDS = 1.0


@contextmanager
def quick_heads(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    from ogel.runtime.http import http1

    with monkeypatch.context() as patch:
        patch.setattr(http1, "HEAD_SECONDS", seconds)
        yield


async def connected(port: int, count: int) -> list[Wire]:
    return list(await asyncio.gather(*(Wire.connect(port) for _ in range(count))))


def test_half_a_head_is_waited_for_and_then_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    @story
    async def told() -> None:
        async with door() as recorder:
            half_open = await connected(recorder.port, 300)
            for each in half_open:
                each.write(HEAD)
            await others_are_served(recorder.port)
            with quick_heads(monkeypatch, 0.1):
                assert all(await asyncio.gather(*(each.end() for each in half_open)))
            assert [each.received[:13] for each in half_open] == [b"HTTP/1.1 408 "] * len(half_open)
            assert {request.name for _, request in recorder.requests} == {"others"}

    told()


def test_a_head_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the whole head that has a limit, not the silence between its bytes."""

    @story
    async def told() -> None:
        async with door() as recorder:
            with quick_heads(monkeypatch, 0.2):
                async with wire(recorder.port) as slow:
                    slow.write(b"GET /first HTTP/1.1\r\nHost: x\r\nA: ")

                    async def trickle() -> None:
                        while True:
                            slow.write(b"b")
                            await asyncio.sleep(0.01)

                    async with going_on(trickle()):
                        assert await slow.end()
            assert recorder.begun == 0

    told()


@story
async def test_slow_bodies_hurt_nobody() -> None:
    async with door() as recorder:
        slow = await connected(recorder.port, 200)
        for each in slow:
            each.write(post(length(5), FIVE[:2]))
        await others_are_served(recorder.port)
        for each in slow:
            each.write(FIVE[2:])
        for each in slow:
            await each.until(lambda each=each: b"POST first 5" in each.received)
            each.abort()


@story
async def test_a_slow_body_is_given_up() -> None:
    async with running(body_timeout_seconds=0.2) as world, wire(world.port) as slow:
        head = "".join(f"{name}: {value}\r\n" for name, value in WRITER.items()).encode()
        slow.write(b"POST /api/things HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n" + head + b"\r\n{")
        assert await slow.end()
        assert slow.received.startswith(b"HTTP/1.1 408 ")


@story
async def test_a_body_that_nobody_reads_is_held_back() -> None:
    """Whether it has a length or comes in chunks, and in small ones without end."""
    small = b"1\r\nx\r\n" * 10_000
    heads = {
        b"": post(length(1_000_000_000), b"").replace(b"/first", b"/wait"),
        small: post(CHUNKED, b"").replace(b"/first", b"/wait"),
    }
    async with door() as recorder:
        for data, head in heads.items():
            async with wire(recorder.port) as endless:
                endless.write(head)
                async with going_on(endless.pour(data or b"x" * 65_536)):
                    await others_are_served(recorder.port)
                    taken = -1
                    while taken != endless.written:
                        taken = endless.written
                        await asyncio.sleep(0.2)
                # The sockets' own buffers hold some megabytes.
                assert taken < 16_000_000
        recorder.released.set()


@story
async def test_chunks_without_end_hurt_nobody() -> None:
    async with door() as recorder:
        endless = await connected(recorder.port, 4)
        for each in endless:
            each.write(post(CHUNKED, b""))
        async with going_on(*(each.pour(b"1\r\nx\r\n" * 1_000) for each in endless)):
            await others_are_served(recorder.port)
        for each in endless:
            each.abort()


FLOODS = {
    "3,500 fields": HEAD + b"".join(b"A%04d: 12345678\r\n" % n for n in range(3_500)) + b"\r\n",
    "many fields": HEAD + b"A:\r\n" * 20_000 + b"\r\n",
    "one field": HEAD + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    "a long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "empty lines": b"\r\n" * 20_000,
    "noise": bytes(range(256)) * 100,
    "lines of nothing": b"\n" * 20_000,
    "good requests": ASK * 200,
    "refused ones": b"GET / HTTP/9.9\r\n\r\n" * 200,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_hurt_nobody(flood: str) -> None:
    """Again and again, on new connections when one is ended."""

    async def pour(port: int) -> None:
        while True:
            async with wire(port) as attacker:
                await attacker.pour(FLOODS[flood])

    @story
    async def told() -> None:
        async with door() as recorder, going_on(*(pour(recorder.port) for _ in range(4))):
            await others_are_served(recorder.port)

    told()


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_who_has_gone_is_answered_no_more(leave: str) -> None:
    @story
    async def told() -> None:
        recorder = Recorder()
        with structlog.testing.capture_logs() as logs:
            async with door(recorder, drain_seconds=10):
                leaving = await connected(recorder.port, 10)
                for each in leaving:
                    each.write(ASK.replace(b"/first", b"/slow") * 1_000)
                await others_are_served(recorder.port, 2)
                for each in leaving:
                    each.abort() if leave == "reset" else each.close()
                await asyncio.sleep(A_SECOND + SLACK_SECONDS)
                begun = recorder.begun
                await asyncio.sleep(10 * 0.02)
                assert recorder.begun == begun, "still at work for those who have left"
                stopping = asyncio.get_running_loop().time()
                await recorder.stopped()
                assert asyncio.get_running_loop().time() - stopping < 5
        assert "http.cut_off" not in [each["event"] for each in logs]

    told()


@story
async def test_half_a_head_does_not_hold_up_a_stop() -> None:
    recorder = Recorder()
    with structlog.testing.capture_logs() as logs:
        async with door(recorder, drain_seconds=20):
            half_open = await connected(recorder.port, 50)
            for number, each in enumerate(half_open):
                each.write(HEAD[: 1 + number % len(HEAD)])
            await others_are_served(recorder.port, 1)
            stopping = asyncio.create_task(recorder.stopped())
            async with asyncio.timeout(10):
                await stopping
            assert all(await asyncio.gather(*(each.end() for each in half_open)))
    assert "http.cut_off" not in [each["event"] for each in logs]


@story
async def test_who_does_not_read_is_not_served_on() -> None:
    """Its requests wait, in the sockets and not in us, until it has taken the answers."""
    count = 5_000
    ask = ASK.replace(b"/first", b"/large")
    async with door() as recorder, wire(recorder.port) as deaf:
        deaf.hold()
        async with going_on(deaf.pour(ask * 100, len(ask) * count)):
            await others_are_served(recorder.port)
            begun = -1
            while begun != recorder.begun:
                begun = recorder.begun
                await asyncio.sleep(0.3)
        assert begun < count
        await others_are_served(recorder.port)


@story
async def test_pipelined_requests_are_answered_in_their_order() -> None:
    targets = [b"/%d" % n for n in range(200)]
    raw = b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target for target in targets) + AFTER
    async with door() as recorder:
        seen = await exchange(recorder.port, raw)
        assert [answer.headers["x-name"] for answer in answers(seen.received)] == [
            *(target[1:].decode() for target in targets),
            "after",
        ]


@story
async def test_pipelined_requests_wait_within_a_bound() -> None:
    """While one of them is answered."""
    async with door() as recorder, wire(recorder.port) as eager:
        eager.write(ASK.replace(b"/first", b"/wait"))
        async with going_on(eager.pour(ASK * 1_000)):
            await others_are_served(recorder.port)
            taken = -1
            while taken != eager.written:
                taken = eager.written
                await asyncio.sleep(0.2)
        assert taken < 16_000_000
        recorder.released.set()


@contextmanager
def many_files(wanted: int) -> Iterator[int]:
    """As many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    try:
        yield max(soft, allowed)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_who_say_nothing() -> None:
    @story
    async def told() -> None:
        with structlog.testing.capture_logs() as logs:
            async with door() as recorder:
                idle = []
                for _ in range(count // 100):
                    idle += await connected(recorder.port, 100)
                await others_are_served(recorder.port)
                stopping = asyncio.create_task(recorder.stopped())
                assert all(await asyncio.gather(*(each.end() for each in idle)))
                await stopping
        assert "http.cut_off" not in [each["event"] for each in logs]

    with many_files(8_192) as files:
        count = min(2_000, (files - 500) // 4)
        told()


LATE = {
    "not JSON": (400, b'{"name": "x", "data": "' + b"x" * 8_000_000),
    "not what is wanted": (422, b'{"name": 5, "data": "' + b"x" * 8_000_000 + b'"}'),
    "too large, as declared": (413, b"x" * 17_000_000),
    "too large, in chunks": (413, b"%x\r\n" % 17_000_000 + b"x" * 17_000_000 + b"\r\n0\r\n\r\n"),
    "without a key": (401, b"x" * 8_000_000),
}


@pytest.mark.parametrize("name", LATE)
def test_a_large_body_that_is_refused(name: str) -> None:
    """The answer is read, though its client sends first and reads then; others are served."""
    status, body = LATE[name]

    @story
    async def told() -> None:
        async with running(max_body_bytes=16_000_000) as world, wire(world.port) as client:
            fields = {} if name == "without a key" else WRITER
            head = "".join(f"{field}: {value}\r\n" for field, value in fields.items()).encode()
            framing = CHUNKED if "chunks" in name else length(len(body))
            client.write(b"POST /api/things HTTP/1.1\r\nHost: x\r\n" + head + framing + b"\r\n" + body)
            await client.until(lambda: client.received.endswith(b"}\n") or client.received.endswith(b"}"))
            assert client.received.startswith(b"HTTP/1.1 %d " % status), bytes(client.received[:300])

    told()
