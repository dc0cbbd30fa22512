"""
Refreshes in chains, from a process of its own: each connection exchanges the refresh token that it got last.

    python -m bench.chains --port 8080 --seconds 5 TOKEN TOKEN …

prints one JSON object, a `hammer.Hammered`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import uvloop

from bench.hammer import START_SECONDS, WARM_UP_SECONDS, Hammered

_PATH = "/auth/v1/token?grant_type=refresh_token"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_TOKEN = re.compile(rb'"refresh_token":"([^"]+)"')


async def chain(port: int, token: bytes, until: float, result: Hammered) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    counts_from = time.perf_counter() + WARM_UP_SECONDS
    while (sent_at := time.perf_counter()) < until:
        body = b'{"refresh_token":"%b"}' % token
        head = f"POST {_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer_head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer_head)
        answer = await reader.readexactly(int(length[1]) if length else 0)
        if sent_at >= counts_from:
            result.waits.append(time.perf_counter() - sent_at)
        found = _TOKEN.search(answer)
        if found is None:
            result.failed += 1
            result.said = result.said or str(answer[:300], "latin-1")
            break
        token = found[1]
    writer.close()


async def run(port: int, tokens: Sequence[str], seconds: float) -> Hammered:
    result = Hammered(seconds=seconds)
    until = time.perf_counter() + WARM_UP_SECONDS + seconds
    await asyncio.gather(*(chain(port, token.encode(), until, result) for token in tokens))
    return result


def in_another_process(port: int, tokens: Sequence[str], seconds: float) -> Hammered:
    command = [sys.executable, "-m", "bench.chains", "--port", str(port), "--seconds", str(seconds), *tokens]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds + START_SECONDS)
    return Hammered(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description="Refreshes in chains.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("tokens", nargs="+")
    arguments = parser.parse_args()
    json.dump(asdict(uvloop.run(run(arguments.port, arguments.tokens, arguments.seconds))), sys.stdout)


if __name__ == "__main__":
    main()
