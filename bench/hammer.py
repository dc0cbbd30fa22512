"""
One request over and over on kept connections, from a process of its own: as fast as answers come, or each connection
at a pace of its own.

    python -m bench.hammer --port 8080 --connections 32 --seconds 5 --path /health/live

prints one JSON object, a `Hammered`. A request that is not answered when the time is over counts with its age, so a
server that has stopped answering is seen, and nothing here waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from bench.world import DATA, EVENT_TYPE

KEPT_CONNECTIONS = 32
# Answers in this time are not counted: the server's caches and ours are cold.
WARM_UP_SECONDS = 0.5
START_SECONDS = 120.0
_LENGTH = b"content-length:"


@dataclass
class Hammered:
    """
    waits    seconds from each request to its whole answer.
    failed   answers that were not 2xx, and connections that ended.
    said     the first of those.
    late     requests that were still unanswered.
    cpu      seconds that this load cost its own process.
    """

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    failed: int = 0
    said: str = ""
    late: int = 0
    cpu: float = 0.0

    @property
    def per_second(self) -> float:
        return (len(self.waits) - self.late) / self.seconds


class _Connection(asyncio.Protocol):
    """Reads just enough HTTP to know where an answer ends: heads in lower or mixed case, bodies of a known length."""

    def __init__(self, request: bytes, gap_seconds: float, result: Hammered) -> None:
        self._request = request
        self._gap_seconds = gap_seconds
        self._result = result
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._sent_at = 0.0
        self._is_waiting = False
        self.is_counting = False
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or len(self._received) < end + 4 + self._body_length(end):
            return
        now = time.perf_counter()
        if self.is_counting:
            self._result.waits.append(now - self._sent_at)
        if self._received[9:10] != b"2":
            self._fail(self._received[:300].decode("latin-1"))
        self._received, self._is_waiting = b"", False
        if self._gap_seconds:
            self._loop.call_later(max(0.0, self._sent_at + self._gap_seconds - now), self._send)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_over:
            self._fail(f"the connection ended: {exc}")

    def end(self) -> None:
        if self._is_waiting and not self.is_over:
            self._result.waits.append(time.perf_counter() - self._sent_at)
            self._result.late += 1
        self.is_over = True
        self._transport.abort()

    def _send(self) -> None:
        if not self.is_over and not self._transport.is_closing():
            self._sent_at, self._is_waiting = time.perf_counter(), True
            self._transport.write(self._request)

    def _body_length(self, end: int) -> int:
        head = self._received[:end].lower()
        at = head.find(_LENGTH)
        return 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])

    def _fail(self, said: str) -> None:
        self._result.failed += 1
        self._result.said = self._result.said or said


async def hammer(port: int, request: bytes, connections: int, seconds: float, rate: float) -> Hammered:
    """`rate`: requests a second of all connections together; 0: as many as are answered."""
    result, loop = Hammered(), asyncio.get_running_loop()
    gap = connections / rate if rate else 0.0
    opened = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: _Connection(request, gap, result), "127.0.0.1", port
        )
        opened.append(protocol)
        await asyncio.sleep(gap / connections)
    await asyncio.sleep(WARM_UP_SECONDS)
    began, cpu = time.perf_counter(), time.process_time()
    print(flush=True)  # now it counts
    for each in opened:
        each.is_counting = True
    await asyncio.sleep(seconds)
    result.seconds, result.cpu = time.perf_counter() - began, time.process_time() - cpu
    for each in opened:
        each.end()
    return result


def request_of(method: str, path: str, key: str, body: bytes) -> bytes:
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{content}\r\n".encode() + body


class Hammering:
    """A hammer in another process. Made by `start`; `result` waits for it."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    @classmethod
    def start(
        cls,
        port: int,
        path: str,
        key: str = "",
        *,
        seconds: float,
        publish: bool = False,
        connections: int = KEPT_CONNECTIONS,
        rate: float = 0.0,
    ) -> Hammering:
        """Returns when it counts."""
        command = [sys.executable, "-m", "bench.hammer", "--port", str(port), "--path", path, "--key", key]
        command += ["--connections", str(connections), "--seconds", str(seconds), "--rate", str(rate)]
        command += ["--publish"] if publish else []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if not process.stdout.readline():
            process.wait(START_SECONDS)
            raise RuntimeError("the load could not be started; what went wrong is above")
        return cls(process, seconds)

    def result(self) -> Hammered:
        try:
            output, _ = self._process.communicate(timeout=self._seconds + START_SECONDS)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        if self._process.returncode:
            raise RuntimeError("the load could not be kept up; what went wrong is above")
        return Hammered(**json.loads(output))


def main() -> None:
    parser = argparse.ArgumentParser(description="One request over and over.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/health/live")
    parser.add_argument("--key", default="")
    parser.add_argument("--publish", action="store_true", help="POST an event of 1 KiB")
    parser.add_argument("--connections", type=int, default=KEPT_CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="requests a second; 0: as many as are answered"
    )
    arguments = parser.parse_args()
    event = json.dumps({"type": EVENT_TYPE, "data": DATA}).encode()
    method, body = ("POST", event) if arguments.publish else ("GET", b"")
    request = request_of(method, arguments.path, arguments.key, body)
    load = hammer(arguments.port, request, arguments.connections, arguments.seconds, arguments.rate)
    # It ends by itself, whatever happens: creating connections is all that could take long.
    limit = START_SECONDS + arguments.seconds
    result = uvloop.run(asyncio.wait_for(load, limit))
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
