"""
Sign-ins by password, from a process of its own.

    python -m bench.sign_ins --port 8080 --connections 8 --seconds 5 ada@example.com:password …

prints one JSON object, a `SignIns`. Each connection takes the next of the given sign-ins in turn, and comes again when
a 503 says so.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import uvloop

from bench.hammer import START_SECONDS

_PATH = "/auth/v1/token?grant_type=password"
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *([0-9]+)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass
class SignIns:
    """
    waits    seconds from request to answer, by which of the sign-ins it was.
    statuses how often each came; `missing_retry_after` of the 503s did not say when to come again.
    """

    seconds: float = 0.0
    waits: list[list[float]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    missing_retry_after: int = 0

    @property
    def all_waits(self) -> list[float]:
        return list(itertools.chain.from_iterable(self.waits))


def _request(sign_in: str) -> bytes:
    email, _, password = sign_in.partition(":")
    body = json.dumps({"email": email, "password": password}).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def _connection(
    port: int, turns: Iterator[int], requests: Sequence[bytes], until: float, result: SignIns
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        turn = next(turns)
        sent_at = time.perf_counter()
        writer.write(requests[turn])
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        result.waits[turn].append(time.perf_counter() - sent_at)
        status = head[9:12].decode()
        result.statuses[status] = result.statuses.get(status, 0) + 1
        if status == "503":
            found = _RETRY_AFTER.search(head)
            result.missing_retry_after += found is None
            await asyncio.sleep(min(int(found[1]) if found else 0, until - time.perf_counter()))
    writer.close()


async def run(port: int, sign_ins: Sequence[str], connections: int, seconds: float) -> SignIns:
    requests = [_request(each) for each in sign_ins]
    result = SignIns(waits=[[] for _ in requests])
    turns = itertools.cycle(range(len(requests)))
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_connection(port, turns, requests, until, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


def in_another_process(port: int, sign_ins: Sequence[str], connections: int, seconds: float) -> SignIns:
    command = [sys.executable, "-m", "bench.sign_ins", "--port", str(port), "--seconds", str(seconds)]
    command += ["--connections", str(connections), *sign_ins]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds + START_SECONDS)
    return SignIns(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description="Sign-ins by password.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("sign_ins", nargs="+", metavar="EMAIL:PASSWORD")
    arguments = parser.parse_args()
    done = uvloop.run(run(arguments.port, arguments.sign_ins, arguments.connections, arguments.seconds))
    json.dump(asdict(done), sys.stdout)


if __name__ == "__main__":
    main()
