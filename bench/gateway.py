"""The gateway: what the shell adds to a bare route, what passing on costs beside nginx, and what memory it takes."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import uvloop

from bench.bare import PIECE
from bench.figures import Figure
from bench.hammer import Hammering
from bench.world import HERE, Trial, cpu_of_tree, create_key, pid_of, resident_megabytes
from tests.support.process import Client, Ogel, eventually, free_port

READY_SECONDS = 60.0
ADDED_MILLISECONDS = 0.5
ROUNDS = 5
SOCKETS = 200
MESSAGES = 20
GIB = 1024**3
# What Python's allocator, the sockets' buffers and the pools take once, however much passes.
FLAT_MEGABYTES = 32.0
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
SETTINGS = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream there {{ server 127.0.0.1:{to}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000;
    location /s/ {{
      proxy_pass http://there/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_buffering off;
      proxy_request_buffering off;
    }}
  }}
}}
"""


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 1.0 if trial.quick else 5.0
    with trial.machine() as here, _bare(trial) as (bare, port):
        upstreams = f"/s=http://127.0.0.1:{port};auth=open;rate=off;max_body=off"
        with here.ogel("api", OGEL_UPSTREAMS=upstreams) as api:
            yield from _added(api, port, seconds / ROUNDS)
            yield from _passed_on(trial, api, bare.pid, port, seconds)
            yield from _flat(api, GIB // 8 if trial.quick else GIB)


def _added(api: Ogel, bare: int, seconds: float) -> Iterator[Figure]:
    """By one connection, in turns: the whole chain with a key, its rates and its line in the log, and without any."""
    key, chain, alone = create_key(api, ["events:read"]), [], []
    for _ in range(ROUNDS):
        chain += Hammering.start(api.port, "/api/me", key, seconds=seconds, connections=1).result().waits
        alone += Hammering.start(bare, "/", seconds=seconds, connections=1).result().waits
    there, here = statistics.median(alone) * 1000, statistics.median(chain) * 1000
    yield Figure("bare starlette route, p50", there, "ms")
    yield Figure("GET /api/me with a key, p50", here, "ms")
    yield Figure("added by the whole chain, p50", here - there, "ms", at_most=ADDED_MILLISECONDS)


def _passed_on(trial: Trial, api: Ogel, bare: int, port: int, seconds: float) -> Iterator[Figure]:
    yield from _hammered("the service itself, 32 connections", port, "/", bare, seconds)
    ours = yield from _hammered("through Ogel, 32 connections", api.port, "/s/", pid_of(api), seconds)
    if NGINX is None:
        print("  no nginx here: nothing to compare with", file=sys.stderr)
        return
    with _nginx(trial, port) as (pid, front):
        theirs = yield from _hammered("through nginx, 32 connections", front, "/s/", pid, seconds)
    yield Figure("through Ogel, of what nginx passes on", ours / theirs * 100, "%")


def _hammered(name: str, port: int, path: str, pid: int, seconds: float) -> Generator[Figure, None, float]:
    """And returns how many a second."""
    load = Hammering.start(port, path, seconds=seconds)
    before = cpu_of_tree(pid)
    done = load.result()
    if done.failed:
        raise RuntimeError(f"{name}: {done.failed} failed; the first: {done.said}")
    yield Figure(name, done.per_second, "/s")
    yield Figure(f"{name}, CPU for each", (cpu_of_tree(pid) - before) / len(done.waits) * 1e6, "µs")
    return done.per_second


def _flat(api: Ogel, size: int) -> Iterator[Figure]:
    before = resident_megabytes(pid_of(api))
    for name, passing in (
        (f"{size // 1024**2} MiB up", _up(api.port, size)),
        (f"{size // 1024**2} MiB down", _down(api.port, size)),
        (f"{SOCKETS} WebSockets, {MESSAGES} messages each", _sockets(api.port)),
    ):
        seconds, most = uvloop.run(_watched(passing, pid_of(api)))
        yield Figure(name, seconds, "s")
        yield Figure(f"{name}, memory more than before", most - before, "MB", at_most=FLAT_MEGABYTES)


async def _watched(passing: Awaitable[None], pid: int) -> tuple[float, float]:
    """How long it took, and the most memory that the process had meanwhile."""
    loop = asyncio.get_running_loop()
    began, most = loop.time(), 0.0
    task = asyncio.ensure_future(passing)
    while not task.done():
        await asyncio.wait([task], timeout=0.05)
        most = max(most, resident_megabytes(pid))
    task.result()
    return loop.time() - began, most


async def _up(port: int, size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // len(PIECE)):
            yield PIECE

    url = f"http://127.0.0.1:{port}/s/swallow"
    async with aiohttp.ClientSession() as session, session.put(url, data=pieces()) as answer:
        assert await answer.json() == {"bytes": size}


async def _down(port: int, size: int) -> None:
    url = f"http://127.0.0.1:{port}/s/pour?bytes={size}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        got = 0
        async for piece in answer.content.iter_any():
            got += len(piece)
        assert got == size


async def _sockets(port: int) -> None:
    async def talk(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"http://127.0.0.1:{port}/s/echo") as socket:
            for number in range(MESSAGES):
                await socket.send_str(f"{number}" * 100)
                assert await socket.receive_str() == f"{number}" * 100

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(talk(session) for _ in range(SOCKETS)))


@contextmanager
def _bare(trial: Trial) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(trial.code), str(HERE)))}
    command = [sys.executable, "-m", "bench.bare", str(port)]
    with _process(trial, command, environment, port, "/") as process:
        yield process, port


@contextmanager
def _nginx(trial: Trial, to: int) -> Iterator[tuple[int, int]]:
    folder, port = trial.directory / "nginx", free_port()
    folder.mkdir()
    (folder / "nginx.conf").write_text(SETTINGS.format(folder=folder, to=to, port=port))
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with _process(trial, command, dict(os.environ), port, "/s/") as process:
        yield process.pid, port


@contextmanager
def _process(
    trial: Trial, command: list[str], environment: dict[str, str], port: int, path: str
) -> Iterator[subprocess.Popen[bytes]]:
    log: Path = trial.directory / "gateway.log"
    with (
        log.open("ab") as said,
        subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            eventually(lambda: _answers(process, port, path), READY_SECONDS, f"{command[0]}; see {log}")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    try:
        return Client(port, key=None)("GET", path).status == 200
    except OSError:
        return False
