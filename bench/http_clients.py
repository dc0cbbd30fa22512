"""A bare loop of POSTs, no queue, no database: the egress client beside aiohttp, as a ratio from one run.

python -m bench.http_clients --requests 20000 --in-flight 1000
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network

import uvloop

from bench import receiver
from ogel.adapters.egress import AddressGuard, EgressClient

TIMEOUT_SECONDS = 30.0
HEADERS = [
    ("User-Agent", "Ogel-Webhook/1.0"),
    ("Content-Type", "application/json"),
    ("webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
    ("webhook-timestamp", "1674087231"),
    ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
]

Post = Callable[[], Awaitable[int]]


async def measure(post: Post, requests: int, in_flight: int) -> tuple[float, float]:
    """Requests per second, and microseconds of our own CPU for each."""
    left = requests

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            status = await post()
            if status != 200:
                raise RuntimeError(f"the receiver answered {status}")

    started, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
    return requests / (time.perf_counter() - started), (time.process_time() - cpu) / requests * 1e6


async def with_ours(url: str, body: bytes, requests: int, in_flight: int) -> tuple[float, float]:
    client = EgressClient(AddressGuard(allow=[ip_network("127.0.0.0/8")]), max_connections=in_flight)

    async def post() -> int:
        exchange = await client.post(
            url, headers=HEADERS, body=body, timeout_seconds=TIMEOUT_SECONDS, pool_key="bench"
        )
        return exchange.status

    try:
        await measure(post, in_flight, in_flight)  # open the connections first
        return await measure(post, requests, in_flight)
    finally:
        await client.close()


async def with_aiohttp(url: str, body: bytes, requests: int, in_flight: int) -> tuple[float, float]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def post() -> int:
            async with session.post(url, data=body, headers=HEADERS, allow_redirects=False) as response:
                await response.read()
                return response.status

        await measure(post, in_flight, in_flight)
        return await measure(post, requests, in_flight)


def main() -> None:
    parser = argparse.ArgumentParser(description="POSTs per second, ours against aiohttp.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=1_000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds the receiver takes")
    parser.add_argument("--bytes", type=int, default=1024, help="size of the body")
    arguments = parser.parse_args()
    body = b"x" * arguments.bytes
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with receiver.running(arguments.delay) as port:
        url = f"http://127.0.0.1:{port}/hook"
        ours, our_cpu = uvloop.run(with_ours(url, body, arguments.requests, arguments.in_flight))
        theirs, their_cpu = uvloop.run(with_aiohttp(url, body, arguments.requests, arguments.in_flight))
    print(f"ogel egress   {ours:8,.0f}/s   {our_cpu:4.0f} µs CPU each")
    print(f"aiohttp       {theirs:8,.0f}/s   {their_cpu:4.0f} µs CPU each")
    print(f"ratio         {ours / theirs:8.2f}x")


if __name__ == "__main__":
    main()
