"""A webhook receiver for benchmarks: answers every request 200 after a delay, in a process of its own.

    python -m bench.receiver --port 0 --delay 0.05

prints the port it listens on (loopback) and serves until it is ended. With `--stamps` it remembers when each request
came in: `GET /stamps` is answered with `Arrivals` as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import cast

import uvloop

from tests.support.process import Client

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_ID = re.compile(rb"\r\nwebhook-id: *([^\r]+)\r\n", re.IGNORECASE)


@dataclass
class Arrivals:
    """
    first   when each webhook came in first, in time.monotonic(), by its path, a space and its id.
    total   requests, repeated ones too; the last of them came in at `last`.
    """

    first: dict[str, float] = field(default_factory=dict)
    total: int = 0
    last: float = 0.0

    @classmethod
    def at(cls, port: int) -> Arrivals:
        """Of the receiver that listens there."""
        return cls(**Client(port, key=None).ok("GET", "/stamps"))

    def note(self, head: bytes) -> None:
        self.total += 1
        self.last = time.monotonic()
        path = head.split(b" ", 2)[1]
        if found := _ID.search(head):
            self.first.setdefault(f"{path.decode()} {found[1].decode()}", self.last)


class Receiver(asyncio.Protocol):
    """Reads just enough HTTP to know where a request ends."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < size:
                return
            head, self._received = self._received[: end + 2], self._received[size:]
            self._take(head)

    def _take(self, head: bytes) -> None:
        if self._delay_seconds:
            self._loop.call_later(self._delay_seconds, self._answer)
        else:
            self._answer()

    def _answer(self, answer: bytes = _ANSWER) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


class _Stamping(Receiver):
    def __init__(self, delay_seconds: float, arrivals: Arrivals) -> None:
        super().__init__(delay_seconds)
        self._arrivals = arrivals

    def _take(self, head: bytes) -> None:
        if head.startswith(b"GET /stamps "):
            body = json.dumps(asdict(self._arrivals)).encode()
            self._answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return
        self._arrivals.note(head)
        super()._take(head)


async def serve(port: int, make: Callable[[], Receiver]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(delay_seconds: float, stamps: bool = False) -> Iterator[int]:
    """A receiver in another process while the block runs; yields its port."""
    command = [sys.executable, "-m", "bench.receiver", "--port", "0", "--delay", str(delay_seconds)]
    command += ["--stamps"] if stamps else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers webhooks after a delay.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--stamps", action="store_true", help="remember when each request came in")
    arguments = parser.parse_args()
    make: Callable[[], Receiver] = partial(Receiver, arguments.delay)
    if arguments.stamps:
        make = partial(_Stamping, arguments.delay, Arrivals())
    uvloop.run(serve(arguments.port, make))


if __name__ == "__main__":
    main()
