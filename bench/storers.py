"""
Objects stored or fetched on kept connections, from a process of its own, each as fast as the one before is answered.

    python -m bench.storers --port 8080 --key KEY --connections 16 --seconds 5 --bytes 4096 --bucket bench up

prints one JSON object, a `hammer.Hammered`. `up` gives each object a name of its own; `down` fetches those, the first
`--names` of each connection over and over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict
from typing import cast

import uvloop

from bench.hammer import START_SECONDS, WARM_UP_SECONDS, Hammered

CONNECTIONS = 16
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_READ_BYTES = 1024 * 1024
# How much of a large body is written before the socket is asked whether it takes more.
_PIECE_BYTES = 1024 * 1024


class _Connection(asyncio.BufferedProtocol):
    """Reads answers into one buffer, over and over: nothing is copied, so that large ones cost this process little."""

    def __init__(
        self, arguments: argparse.Namespace, number: int, counts_from: float, result: Hammered
    ) -> None:
        self._arguments = arguments
        self._number = number
        self._counts_from = counts_from
        self._until = counts_from + arguments.seconds
        self._result = result
        self._piece = bytes(range(256)) * (min(arguments.bytes, _PIECE_BYTES) // 256)
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._head = b""
        self._left: int | None = None
        self._unsent = 0
        self._takes_more = True
        self._done = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._fail(f"the connection ended: {exc}")

    def pause_writing(self) -> None:
        self._takes_more = False

    def resume_writing(self) -> None:
        self._takes_more = True
        self._send()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._left is None:
            self._head += self._buffer[:nbytes]
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._head)
            self._left, nbytes = int(found[1]) if found else 0, len(self._head) - end - 4
        self._left -= nbytes
        if not self._left:
            self._answered()

    def _ask(self) -> None:
        arguments, self._sent_at = self._arguments, time.perf_counter()
        if self._sent_at >= self._until:
            self._end()
            return
        name = self._done % arguments.names if arguments.what == "down" else self._done
        place = f"{arguments.bucket}/c{self._number}/{arguments.run}{name}"
        self._head, self._left = b"", None
        self._transport.write(_head(arguments, f"/storage/v1/object/{_DOORS[arguments.what]}{place}"))
        self._unsent = arguments.bytes if arguments.what == "up" else 0
        self._send()

    def _send(self) -> None:
        while self._unsent and self._takes_more:
            self._unsent -= len(self._piece)
            self._transport.write(self._piece)

    def _answered(self) -> None:
        if self._sent_at >= self._counts_from:
            self._result.waits.append(time.perf_counter() - self._sent_at)
        if not self._head.startswith(b"HTTP/1.1 2"):
            self._fail(str(self._head[:300], "latin-1"))
            return
        self._done += 1
        self._ask()

    def _fail(self, said: str) -> None:
        self._result.failed += 1
        self._result.said = self._result.said or said
        self._end()

    def _end(self) -> None:
        self.ended.set_result(None)
        self._transport.close()


_DOORS = {"up": "", "down": "authenticated/"}


def _head(arguments: argparse.Namespace, path: str) -> bytes:
    method, length = ("POST", arguments.bytes) if arguments.what == "up" else ("GET", 0)
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {arguments.key}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def run(arguments: argparse.Namespace) -> Hammered:
    result, loop = Hammered(), asyncio.get_running_loop()
    counts_from = time.perf_counter() + (WARM_UP_SECONDS if arguments.connections > 1 else 0)
    opened = [
        await loop.create_connection(
            lambda number=number: _Connection(arguments, number, counts_from, result),  # type: ignore[misc]
            "127.0.0.1",
            arguments.port,
        )
        for number in range(arguments.connections)
    ]
    await asyncio.gather(*(connection.ended for _, connection in opened))
    result.seconds, result.cpu = time.perf_counter() - counts_from, time.process_time()
    return result


def in_another_process(
    what: str,
    port: int,
    key: str,
    bucket: str,
    *,
    size: int,
    seconds: float,
    connections: int = CONNECTIONS,
    names: int = 1,
    run: str = "",
) -> Hammered:
    command = [sys.executable, "-m", "bench.storers", what, "--port", str(port), "--key", key]
    command += ["--bucket", bucket, "--bytes", str(size), "--seconds", str(seconds), "--run", run]
    command += ["--connections", str(connections), "--names", str(names)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds + START_SECONDS)
    result = Hammered(**json.loads(done.stdout))
    if result.failed:
        raise RuntimeError(f"{what} of {size} bytes: {result.failed} failed; the first: {result.said}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Objects stored or fetched.")
    parser.add_argument("what", choices=list(_DOORS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--names", type=int, default=1)
    parser.add_argument("--run", default="", help="what the names of this run begin with")
    json.dump(asdict(uvloop.run(run(parser.parse_args()))), sys.stdout)


if __name__ == "__main__":
    main()
