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

import uvloop

from bench.hammer import START_SECONDS, WARM_UP_SECONDS, Hammered

CONNECTIONS = 16
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_READ_BYTES = 4 * 1024 * 1024
# How much of a large body is written before the socket is asked whether it takes more.
_PIECE_BYTES = 1024 * 1024


async def _store(
    arguments: argparse.Namespace, number: int, until: float, counts_from: float, result: Hammered
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", arguments.port, limit=_READ_BYTES)
    piece = bytes(range(256)) * (min(arguments.bytes, _PIECE_BYTES) // 256)
    done = 0
    while (sent_at := time.perf_counter()) < until:
        name = done % arguments.names if arguments.what == "down" else done
        path = (
            f"/storage/v1/object/{_DOORS[arguments.what]}{arguments.bucket}/c{number}/{arguments.run}{name}"
        )
        writer.write(_head(arguments, path))
        if arguments.what == "up":
            for _ in range(arguments.bytes // len(piece)):
                writer.write(piece)
                await writer.drain()
        status = await _answer(reader)
        if sent_at >= counts_from:
            result.waits.append(time.perf_counter() - sent_at)
        if not status.startswith(b"HTTP/1.1 2"):
            result.failed += 1
            result.said = result.said or str(status[:300], "latin-1")
            break
        done += 1
    writer.close()


_DOORS = {"up": "", "down": "authenticated/"}


def _head(arguments: argparse.Namespace, path: str) -> bytes:
    method, length = ("POST", arguments.bytes) if arguments.what == "up" else ("GET", 0)
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {arguments.key}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Reads it to its end. Returns its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    left = int(found[1]) if found else 0
    while left:
        left -= len(await reader.read(min(left, _READ_BYTES)))
    return head


async def run(arguments: argparse.Namespace) -> Hammered:
    result = Hammered()
    began = time.perf_counter()
    counts_from = began + (WARM_UP_SECONDS if arguments.connections > 1 else 0)
    until = counts_from + arguments.seconds
    stores = (
        _store(arguments, number, until, counts_from, result) for number in range(arguments.connections)
    )
    await asyncio.gather(*stores)
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
