"""Realtime's connections in the hands of clients good and bad: what one of them does concerns nobody else."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.allowance import Rates
from ogel.runtime.http.http1 import Http1
from ogel.runtime.http.inbox import Inbox
from ogel.runtime.http.upgrade import Upgrade
from ogel.runtime.realtime.connections import connection, registry
from ogel.runtime.realtime.connections.frames import frame as framed
from ogel.runtime.realtime.connections.places import PlaceLimits
from ogel.runtime.realtime.connections.session import Reason
from ogel.runtime.realtime.connections.sse import MAX_CLIENT_BYTES
from ogel.runtime.realtime.connections.websocket import WebSocketConnection
from tests.support.collector import no_collector
from tests.support.door import wire
from tests.support.frames import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    handshake,
    text,
    websocket,
)
from tests.support.http import story
from tests.support.sessions import EchoSession, taking_door

SSE = b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n"


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not met():
            await asyncio.sleep(0.005)


@story
async def test_a_session_hears_messages_and_forgets_once() -> None:
    async with taking_door() as taking, websocket(taking.port) as client:
        client.wire.write(text("one") + frame(TEXT, b"t", fin=False) + frame(PING, b"p"))
        client.wire.write(frame(CONTINUATION, b"wo") + frame(2, b"\x00\xff"))
        await client.until(lambda got: len(got) == 4)
        assert [(each.opcode, each.payload) for each in client.frames] == [
            (TEXT, b"one"),
            (PONG, b"p"),
            (TEXT, b"two"),
            (2, b"\x00\xff"),
        ]
        [session] = taking.sessions
        assert session.got == ["one", "two", b"\x00\xff"]
        assert session.connection.address == "192.0.2.1"
        client.wire.write(close(1000))
        assert await client.wire.end()
        assert client.closed_with == 1000
        await until(lambda: not len(taking.registry))
        assert (session.gone_times, session.endings) == (1, [])
        assert taking.sample("connections", transport="websocket") == 0
        assert not session.connection.write(b"unheard")
        session.connection.end(Reason.SLOW)  # nothing is left to end


@story
async def test_what_is_written_in_one_turn_is_sent_in_one_piece() -> None:
    async with taking_door() as taking, websocket(taking.port) as client:
        await until(lambda: taking.sessions)
        writing = taking.sessions[0].connection
        sent: list[bytes] = []
        writing._transport = Spy(writing._transport, sent)  # type: ignore[assignment]
        for n in range(100):
            assert writing.write(framed(TEXT, b"%d" % n))
        assert writing.queued_bytes == sum(len(framed(TEXT, b"%d" % n)) for n in range(100))
        await client.until(lambda got: len(got) == 100)
        assert [each.payload for each in client.frames] == [b"%d" % n for n in range(100)]
        assert len(sent) == 1


class Spy:
    """A transport that notes what is written to it."""

    def __init__(self, transport: asyncio.Transport, sent: list[bytes]) -> None:
        self._transport = transport
        self._sent = sent

    def write(self, data: bytes) -> None:
        self._sent.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


@story
async def test_who_reads_nothing_is_ended_alone_and_memory_is_shared() -> None:
    async with (
        taking_door(queue_bytes=300_000) as taking,
        websocket(taking.port) as slow,
        websocket(taking.port) as healthy,
    ):
        slow.wire.hold()
        await until(lambda: len(taking.sessions) == 2)
        one = framed(TEXT, b"x" * 50_000)
        written = 0
        while Reason.SLOW not in taking.sessions[0].endings:
            for session in taking.sessions:
                session.write(one)
            written += 1
            assert written < 1000, "never ended"
            await healthy.wire.until(lambda written=written: len(healthy.wire.received) > written * len(one))
        ended = taking.sessions[0].connection
        # What the transport holds of its own is bounded by its high-water mark; what waited was the frames themselves.
        assert ended.queued_bytes < 300_000
        assert taking.sessions[1].endings == []
        assert taking.sessions[0].gone_times == 1
        assert taking.sample("ended_total", reason="slow") == 1
        assert (taking.sample("dropped_total") or 0) >= 1


@story
async def test_one_frame_always_fits_however_large() -> None:
    async with taking_door(queue_bytes=1000) as taking, websocket(taking.port) as client:
        await until(lambda: taking.sessions)
        for n in range(3):
            assert taking.sessions[0].connection.write(framed(TEXT, b"x" * 500_000))
            assert not taking.sessions[0].connection.write(b"another"), "that is too much at once"
            await client.until(lambda got, n=n: len(got) == n + 1)
            await until(lambda: not taking.sessions[0].connection.queued_bytes)


def test_one_byte_a_second_does_not_keep_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.LAST_WORDS_SECONDS, Reason.SLOW, 0.3)

    @story
    async def told() -> None:
        async with taking_door(queue_bytes=300_000) as taking:
            reader, writer = await asyncio.open_connection("127.0.0.1", taking.port, limit=1024)
            writer.write(handshake())
            await reader.readuntil(b"\r\n\r\n")

            async def trickle() -> None:
                while await reader.read(1):
                    await asyncio.sleep(0.05)

            trickling = asyncio.create_task(trickle())
            await until(lambda: taking.sessions)
            while not taking.sessions[0].endings:
                taking.sessions[0].write(framed(TEXT, b"x" * 50_000))
                await asyncio.sleep(0)
            await until(lambda: not len(taking.registry))
            trickling.cancel()
            await asyncio.wait([trickling])
            writer.close()

    told()


@story
async def test_who_sends_too_fast_is_answered_first_and_then_closed() -> None:
    rates = Rates(frames_per_second=1, frames_at_once=10)
    async with taking_door(rates=rates) as taking, websocket(taking.port) as client:
        client.wire.write(text("x") * 15)
        await client.until(lambda got: len(got) == 15)
        assert [each.payload for each in client.frames] == [b"x"] * 10 + [b"refused"] * 5
        assert taking.sample("rate_limited_total") == 5
        client.wire.write(text("x") * 20)
        assert await client.wire.end()
        assert client.closed_with == 1008
        assert taking.sessions[0].endings == [Reason.FLOODED]
        assert len(taking.sessions[0].got) == 10


@story
async def test_ten_thousand_messages_at_once_concern_nobody_else() -> None:
    async with (
        taking_door() as taking,
        websocket(taking.port) as rude,
        websocket(taking.port) as healthy,
    ):
        rude.wire.write(text("hello") * 10_000)
        healthy.wire.write(text("there?"))
        await healthy.until(lambda got: bool(got))
        assert await rude.wire.end()
        assert rude.closed_with in (1008, 1006)
        await until(lambda: len(taking.registry) == 1)


def test_a_session_that_breaks_ends_alone() -> None:
    @story
    async def told() -> None:
        async with (
            taking_door() as taking,
            websocket(taking.port) as broken,
            websocket(taking.port) as healthy,
        ):
            broken.wire.write(text("fail"))
            assert await broken.wire.end()
            assert broken.closed_with == 1011
            healthy.wire.write(text("there?"))
            await healthy.until(lambda got: bool(got))
            assert taking.sample("ended_total", reason="failed") == 1

    with capture_logs() as logs:
        told()
    assert "realtime.session_broke" in [line["event"] for line in logs]


def test_a_session_that_cannot_forget_leaves_its_place_all_the_same() -> None:
    def gone(_: EchoSession) -> None:
        raise ZeroDivisionError

    @story
    async def told() -> None:
        async with taking_door() as taking:
            async with websocket(taking.port):
                await until(lambda: taking.sessions)
                taking.sessions[0].gone = gone.__get__(taking.sessions[0])  # type: ignore[method-assign]
            await until(lambda: not len(taking.registry))
            assert taking.registry._places._count == 0

    with capture_logs() as logs:
        told()
    assert "realtime.session_broke" in [line["event"] for line in logs]


@story
async def test_garbage_ends_with_its_code() -> None:
    async with taking_door(max_message_bytes=65_536) as taking:
        for sent, code in (
            (b"GET / HTTP/1.1\r\n\r\n", 1002),
            (frame(TEXT, b"\xff"), 1007),
            (frame(TEXT, b"x" * 65_537), 1009),
            (frame(TEXT, declared=65_537), 1009),
            (close(1005), 1002),
        ):
            async with websocket(taking.port) as client:
                client.wire.write(sent)
                assert await client.wire.end()
                assert client.closed_with == code, sent[:20]
        await until(lambda: not len(taking.registry))
        assert taking.sample("ended_total", reason="violation") == 5


@story
async def test_who_only_closes_their_sending_side_has_left() -> None:
    async with taking_door() as taking:
        async with websocket(taking.port) as client:
            client.wire.write_eof()
            assert await client.wire.end()
        async with wire(taking.port) as stream:
            stream.write(SSE)
            await until(lambda: len(taking.registry) == 1)
            stream.write_eof()
            assert await stream.end()
        await until(lambda: not len(taking.registry))
        assert [session.gone_times for session in taking.sessions] == [1, 1]


@story
async def test_server_sent_events_go_on_behind_their_head() -> None:
    async with taking_door() as taking, wire(taking.port) as stream:
        stream.write(SSE)
        await until(lambda: taking.sessions)
        taking.sessions[0].connection.write(b"data: 1\n\n")
        await stream.until(lambda: b"data: 1\n\n" in stream.received)
        head, _, body = bytes(stream.received).partition(b"\r\n\r\n")
        assert body == b"data: 1\n\n"
        assert b"\r\nconnection: close" in head.lower() and b"transfer-encoding" not in head.lower()
        assert taking.sample("connections", transport="sse") == 1
        stream.write(b"x" * (MAX_CLIENT_BYTES // 2))
        await asyncio.sleep(0.05)
        assert not stream.ended
        await stream.pour(b"x" * 10_000)
        await until(lambda: not len(taking.registry))
        assert taking.sample("ended_total", reason="flooded") == 1


@story
async def test_words_before_the_answer_are_refused_and_give_their_place_back() -> None:
    async with taking_door() as taking:
        async with wire(taking.port) as client:
            client.write(handshake() + text("too soon"))
            assert await client.end()
            assert client.received.startswith(b"HTTP/1.1 400 ")
        assert not len(taking.registry)
        assert taking.registry._places._count == 0


@story
async def test_who_hears_nothing_is_pinged_and_who_hears_something_is_not() -> None:
    async with taking_door(ping_seconds=0.3) as taking, websocket(taking.port), websocket(taking.port):
        await until(lambda: len(taking.sessions) == 2)
        quiet, lively = taking.sessions
        for _ in range(10):
            await asyncio.sleep(0.08)
            lively.connection.write(framed(TEXT, b"x"))
        assert 1 <= quiet.pings <= 3
        assert lively.pings == 0


@story
async def test_who_takes_nothing_of_what_waits_is_cut_off() -> None:
    async with taking_door(ping_seconds=0.2) as taking, websocket(taking.port) as client:
        client.wire.hold()
        await until(lambda: taking.sessions)
        while taking.sessions[0].connection.queued_bytes < 100_000:
            assert taking.sessions[0].connection.write(framed(TEXT, b"x" * 50_000))
            await asyncio.sleep(0)
        await until(lambda: not len(taking.registry))
        assert taking.sample("ended_total", reason="stalled") == 1


LIMITS = {
    "process": (PlaceLimits(connections=2), Principal("key", "key_1")),
    "user": (PlaceLimits(per_user=2), Principal("user", "user_1")),
    "address": (PlaceLimits(per_address=2), Principal("key", "key_1")),
    "network": (PlaceLimits(per_address=2), Principal("key", "key_1")),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_who_finds_no_place_is_told_when_to_come_again(limit: str) -> None:
    limits, principal = LIMITS[limit]

    @story
    async def told() -> None:
        async with taking_door(places=limits) as taking:
            address = "2001:db8::{}" if limit == "network" else "192.0.2.1"
            taking.addresses = [address.format(n) for n in range(4)]
            taking.caller = Caller(principal, "req_1")
            async with websocket(taking.port), websocket(taking.port), wire(taking.port) as third:
                third.write(handshake())
                assert await third.end()
                assert third.received.startswith(b"HTTP/1.1 500 ")  # of an application without our shell
                assert taking.sample("refused_total") == 1
            await until(lambda: not len(taking.registry))
            async with websocket(taking.port):
                pass

    told()


def test_a_client_that_leaves_before_its_turn_gives_its_place_back() -> None:
    @story
    async def told() -> None:
        async with taking_door(places=PlaceLimits(per_second=3)) as taking:
            for _ in range(4):
                async with wire(taking.port) as client:
                    client.write(handshake())
                    await until(lambda: taking.registry._places._count)
            await until(lambda: not taking.registry._places._count)
            assert len(taking.sessions) == 3

    told()


def test_clients_are_told_to_move_in_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LEAST_IN_A_WAVE", 2)
    monkeypatch.setattr(registry, "WAVE_SECONDS", 0.1)

    @story
    async def told() -> None:
        async with taking_door() as taking:
            async with asyncio.TaskGroup() as clients:
                closed: list[float] = []

                async def client() -> None:
                    async with websocket(taking.port) as session:
                        await session.until(lambda got: any(each.opcode == CLOSE for each in got))
                        assert [each.payload for each in session.frames][:1] == [b"before"]
                        assert session.closed_with == 1001
                        closed.append(asyncio.get_running_loop().time())

                for _ in range(6):
                    clients.create_task(client())
                await until(lambda: len(taking.registry) == 6)
                for session in taking.sessions:
                    session.connection.write(framed(TEXT, b"before"))
                await taking.registry.drain()
            assert 0.1 < max(closed) - min(closed) < 2
            await until(lambda: not len(taking.registry))
            async with wire(taking.port) as late:
                late.write(handshake())
                assert await late.end()
                assert not late.received.startswith(b"HTTP/1.1 101 ")

    told()


@story
async def test_nothing_of_http_is_left_of_who_was_taken_over() -> None:
    """While it listens: ten thousand do so for hours."""

    def left() -> list[str]:
        kinds = (Http1, Upgrade, Inbox)
        return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]

    async with taking_door() as taking:
        with no_collector():
            await asyncio.sleep(0)  # the server's own have begun
            before = len(asyncio.all_tasks())
            async with websocket(taking.port) as client:
                await until(lambda: len(asyncio.all_tasks()) == before and not left())
                client.wire.write(text("still there"))
                await client.until(lambda got: len(got) == 1)


@story
async def test_who_speaks_before_the_answer_gets_no_place() -> None:
    async with taking_door(places=PlaceLimits(connections=1)) as taking:
        async with wire(taking.port) as hasty:
            hasty.write(handshake() + text("hello"))
            assert await hasty.end()
            assert hasty.received.startswith(b"HTTP/1.1 400 ")
        assert not taking.sessions
        async with websocket(taking.port) as client:
            client.wire.write(text("hello"))
            await client.until(lambda got: len(got) == 1)


@story
async def test_nothing_is_left_of_who_has_gone() -> None:
    def left() -> int:
        return sum(isinstance(each, WebSocketConnection) for each in gc.get_objects())

    async with taking_door() as taking:
        with no_collector():
            for last in (close(), b"", text("hello"), b"\xff\xff"):
                async with websocket(taking.port) as client:
                    client.wire.write(last)
                    await until(lambda: taking.sessions)
                await until(lambda: not len(taking.registry))
                taking.sessions.clear()
            await until(lambda: not left())
