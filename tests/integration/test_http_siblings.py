"""The parent of several processes on one port, with children that do as little as they can."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest
import structlog

from ogel.kernel.errors import Unavailable
from ogel.runtime.http.server import bind
from ogel.runtime.http.siblings import Siblings

SECONDS = 30.0
# Each writes down that it began, and how many had before it, before it takes its time to import anything.
_CHILD = """
import os, signal, socket, sys, time
begun = len(os.listdir(sys.argv[1]))
open(f"{sys.argv[1]}/{begun}", "w").close()
from ogel.runtime.http.sibling import SiblingSlot
place = SiblingSlot.taken_from(os.environ)
"""
_SERVE = """
for each in place.sockets:
    each.listen()
place.say_ready(0)
"""
_DIES = _CHILD + _SERVE + "sys.exit(3)"
_CANNOT_START = _CHILD + "sys.exit(2)"
_SECOND_IS_SLOW = (
    _CHILD
    + "if begun == 1: time.sleep(60)\n"
    + _SERVE
    + "if begun == 0: time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)\n"
    + "place.line.setblocking(True); place.line.recv(1)"
)
_DEAF = (
    _CHILD
    + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    + _SERVE
    + "place.line.setblocking(True); place.line.recv(1)"
)


def siblings(child: str, begun: Path, processes: int = 1, patience_seconds: float = SECONDS) -> Siblings:
    begun.mkdir()
    command = [sys.executable, "-c", child, str(begun)]
    # Two sockets each, where there is IPv6.
    return Siblings("localhost", 0, processes, 0.0, command, (0.0, 0.05), patience_seconds)


def test_one_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(
            Unavailable, match=r"1/1 died again and again, and was started again 2 times; .* 3$"
        ):
            async with asyncio.timeout(SECONDS):
                await siblings(_DIES, tmp_path / "begun").run(asyncio.Event())
        assert len(list((tmp_path / "begun").iterdir())) == 3

    asyncio.run(scenario())


def test_when_the_first_cannot_start_no_other_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS):
            assert await siblings(_CANNOT_START, tmp_path / "begun", 4).run(asyncio.Event()) == 2
        assert len(list((tmp_path / "begun").iterdir())) == 1

    asyncio.run(scenario())


def test_who_waits_for_a_slow_successor_is_let_go(tmp_path: Path) -> None:
    """And the port refuses until another has taken it."""

    async def scenario() -> None:
        ports, stop = asyncio.Queue[int](), asyncio.Event()
        running = asyncio.create_task(
            siblings(_SECOND_IS_SLOW, tmp_path / "begun", patience_seconds=1.0).run(stop, ports.put_nowait)
        )
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", await ports.get())
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            while len(list((tmp_path / "begun").iterdir())) < 3:
                await asyncio.sleep(0.02)
            stop.set()
            await running

    asyncio.run(scenario())


def test_who_does_not_end_is_killed_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("ogel.runtime.http.siblings.MARGIN_SECONDS", 0.2)
        stop = asyncio.Event()
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(SECONDS):
                code = await siblings(_DEAF, tmp_path / "begun", 2).run(stop, lambda port: stop.set())
        assert code == 128 + 9
        assert len([line for line in logs if line["event"] == "sibling.late"]) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::"])
def test_sockets_that_are_shared_stand_on_one_port(host: str) -> None:
    first = bind(host, 0, shared=True)
    others = bind(host, first[0].getsockname()[1], shared=True)
    try:
        assert len({each.getsockname()[1] for each in (*first, *others)}) == 1
        assert all(each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for each in (*first, *others))
    finally:
        for each in (*first, *others):
            each.close()
