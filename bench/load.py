"""
A steady load on the API, from a process of its own: so many requests a second over kept connections, whether or not
the ones before have been answered.

    python -m bench.load --port 8080 --rate 200 --seconds 15 --reads 0.5

prints one JSON array: a `[kind, id, asked, sent, answered]` for each request, times in time.monotonic(), which on
Linux and macOS is one clock for all processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import NamedTuple

from bench.world import DATA, EVENT_TYPE
from tests.support.process import ADMIN_KEY

CONNECTIONS = 16
# For starting the process, and for answers that come late: of a server that has fallen behind they are figures, too.
LATE_SECONDS = 120.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_ID = re.compile(rb'"id":"([^"]+)"')
_HEAD = f"Host: localhost\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\n"


class Call(NamedTuple):
    """`asked` is when it should have gone out; it was `sent` once a connection was free."""

    kind: str
    id: str
    asked: float
    sent: float
    answered: float


@dataclass(frozen=True)
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\n{_HEAD}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        head_sent_back = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head_sent_back)
        answer = await self.reader.readexactly(int(length[1]) if length else 0)
        if not head_sent_back.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{method} {path}: {head_sent_back!r} {answer!r}")
        return answer


class Load:
    """Publishes events and reads back the one published last."""

    def __init__(self, free: asyncio.Queue[Connection], type: str) -> None:
        self._free = free
        self._event = json.dumps({"type": type, "data": DATA}).encode()
        self._last_id = ""
        self.calls: list[Call] = []

    async def publish(self) -> None:
        answer, times = await self._ask("POST", "/api/events", self._event)
        found = _ID.search(answer)
        assert found is not None
        self._last_id = found[1].decode()
        self.calls.append(Call("publish", self._last_id, *times))

    async def read(self) -> None:
        id = self._last_id
        _, times = await self._ask("GET", f"/api/events/{id}")
        self.calls.append(Call("read", id, *times))

    async def _ask(
        self, method: str, path: str, body: bytes = b""
    ) -> tuple[bytes, tuple[float, float, float]]:
        asked = time.monotonic()
        connection = await self._free.get()
        sent = time.monotonic()
        answer = await connection.ask(method, path, body)
        answered = time.monotonic()
        self._free.put_nowait(connection)
        return answer, (asked, sent, answered)


async def run(port: int, rate: float, seconds: float, reads: float, type: str) -> list[Call]:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)
    load = Load(free, type)
    for _ in connections:
        await load.publish()  # each connection has been used once before anything counts
    load.calls.clear()
    started, reading = time.monotonic(), 0.0
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            reading += reads
            group.create_task(load.read() if reading >= 1 else load.publish())
            reading -= reading >= 1
    for connection in connections:
        connection.writer.close()
    return load.calls


async def in_another_process(
    port: int, rate: float, seconds: float, reads: float = 0.0, type: str = EVENT_TYPE
) -> list[Call]:
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--rate", str(rate), "--type", type]
    process = await asyncio.create_subprocess_exec(
        *command, "--seconds", str(seconds), "--reads", str(reads), stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds + LATE_SECONDS):
            output, _ = await process.communicate()
    except BaseException as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise RuntimeError(f"{rate:g} requests a second were not answered in time") from error
        raise
    if process.returncode != 0:
        raise RuntimeError("the load could not be kept up; what went wrong is above")
    return [Call(*each) for each in json.loads(output)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Publishes and reads events at a steady rate.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument(
        "--reads", type=float, default=0.0, help="which share of them reads an event by its id"
    )
    parser.add_argument("--type", default=EVENT_TYPE, help="of the events")
    arguments = parser.parse_args()
    load = run(arguments.port, arguments.rate, arguments.seconds, arguments.reads, arguments.type)
    calls = asyncio.run(load)
    json.dump(calls, sys.stdout)


if __name__ == "__main__":
    main()
