"""
Many realtime clients in a process of their own, which count what they hear.

    python -m bench.listeners --port 8080 --path '/realtime/websocket?events=*' --key KEY --connections 1000

connects all of them, a hundred at a time, and prints one JSON object (`Connected`). Then, for each line `SECONDS` on
stdin, it prints an empty line when it begins to count and, when the time is over, another object (`Heard`). A message
tells by `"sent": …` when it was sent, in time.monotonic(), which on Linux is one clock for all processes; one client in
twenty looks at that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

START_SECONDS = 120.0
_AT_ONCE = 100
_LOOKS = 20
_SENT = re.compile(rb'"sent": ?([0-9.]+)')
_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@dataclass
class Connected:
    """`cpu`: seconds that connecting cost this process."""

    seconds: float
    cpu: float


@dataclass
class Heard:
    """`waits`: of those who look, seconds from sending to hearing. `lost`: connections that have ended."""

    messages: int = 0
    bytes: int = 0
    waits: list[float] = field(default_factory=list)
    lost: int = 0
    cpu: float = 0.0


class _Listener(asyncio.Protocol):
    def __init__(self, request: bytes, looks: bool, crowd: _Crowd) -> None:
        self._request = request
        self._looks = looks
        self._crowd = crowd
        self._rest = b""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.ready.done():
            self._shake_hands(data)
            return
        heard = self._crowd.heard
        heard.bytes += len(data)
        if self._looks:
            now = time.monotonic()
            data = self._rest + data
            end = 0
            for sent in _SENT.finditer(data):
                heard.waits.append(now - float(sent[1]))
                heard.messages += 1
                end = sent.end()
            self._rest = data[max(end, len(data) - 100) :]

    def _shake_hands(self, data: bytes) -> None:
        """Until the greeting is there, which comes in a frame or a field behind the head."""
        self._rest += data
        if b"ready" in self._rest:
            self.ready.set_result(None)
            self._rest = b""
        elif not self._rest.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")[: len(self._rest)]):
            self.ready.set_exception(RuntimeError(self._rest[:300].decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lost += 1
        if not self.ready.done():
            self.ready.set_exception(RuntimeError(f"hung up on: {self._rest[:300].decode('latin-1')}"))


class _Crowd:
    def __init__(self) -> None:
        self.heard = Heard()
        self.lost = 0
        self.listeners: list[_Listener] = []

    async def connect(self, port: int, request: bytes, connections: int) -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                _, listener = await loop.create_connection(
                    lambda: _Listener(request, number % _LOOKS == 0, self), "127.0.0.1", port
                )
                await listener.ready
                self.listeners.append(listener)

        await asyncio.gather(*(one(number) for number in range(connections)))


async def listen(port: int, request: bytes, connections: int) -> None:
    crowd, loop = _Crowd(), asyncio.get_running_loop()
    began, cpu = time.monotonic(), time.process_time()
    await crowd.connect(port, request, connections)
    print(json.dumps(asdict(Connected(time.monotonic() - began, time.process_time() - cpu))), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        crowd.heard, cpu = Heard(), time.process_time()
        print(flush=True)
        await asyncio.sleep(float(line))
        heard, crowd.heard = crowd.heard, Heard()
        heard.cpu, heard.lost = time.process_time() - cpu, crowd.lost
        print(json.dumps(asdict(heard)), flush=True)


class Listeners:
    """Such a process. `connected` says how long that took; leaving the block ends it."""

    def __init__(self, port: int, path: str, connections: int, key: str = "") -> None:
        command = [sys.executable, "-m", "bench.listeners", "--port", str(port), "--path", path]
        command += ["--connections", str(connections), "--key", key]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.looking = -(-connections // _LOOKS)
        self.connected = Connected(**json.loads(self._said()))

    def begin(self, seconds: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        self._said()

    def result(self) -> Heard:
        return Heard(**json.loads(self._said()))

    def __enter__(self) -> Listeners:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(START_SECONDS)
            raise RuntimeError("the listeners have ended; what went wrong is above")
        return line


def main() -> None:
    parser = argparse.ArgumentParser(description="Many realtime clients.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--connections", type=int, default=1000)
    arguments = parser.parse_args()
    upgrade = _UPGRADE if "sse" not in arguments.path else ""
    head = f"GET {arguments.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {arguments.key}\r\n{upgrade}\r\n"
    uvloop.run(listen(arguments.port, head.encode(), arguments.connections))


if __name__ == "__main__":
    main()
