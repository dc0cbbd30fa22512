"""Storage: objects of three sizes up and down, by one `ogel api`, beside the same store used directly."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import uvloop

from bench.figures import Figure
from bench.hammer import Hammered
from bench.storers import CONNECTIONS, in_another_process
from bench.world import Trial, cpu_of_tree, create_key, pid_of, resident_megabytes
from ogel.adapters.storage.local import LocalObjects

SCOPES = ("storage:read", "storage:write")
KIB, MIB = 1024, 1024 * 1024
# Twice what Supabase Storage did on such a machine with its file backend: uploads and downloads a second, MB a second.
SMALL_UP, SMALL_DOWN = 628, 1_336
LARGE_UP, LARGE_DOWN = 276, 354
MOST_MEGABYTES = 150
_BUCKET = "bench"
_LOOK_SECONDS = 0.05


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 2.0 if trial.quick else 5.0
    limit = str(200 * MIB)
    with (
        trial.machine() as here,
        here.ogel(
            "api",
            OGEL_DATA_DIR=str(trial.directory / "objects"),
            OGEL_STORAGE_FILE_SIZE_LIMIT=limit,
            OGEL_RATE_READ="off",
            OGEL_RATE_WRITE="off",
        ) as api,
    ):
        key, pid = create_key(api, SCOPES), pid_of(api)
        api.api.ok("POST", "/storage/v1/bucket", {"name": _BUCKET})
        with _most_megabytes(pid) as most:
            for size, name, connections in (
                (4 * KIB, "4 KiB", CONNECTIONS),
                (MIB, "1 MiB", CONNECTIONS),
                (100 * MIB, "100 MiB", 1),
            ):
                yield from _of_size(trial, api.port, key, pid, size, name, connections, seconds)
        yield Figure("memory meanwhile, at most", most(), "MB", at_most=MOST_MEGABYTES)


def _of_size(
    trial: Trial, port: int, key: str, pid: int, size: int, name: str, connections: int, seconds: float
) -> Iterator[Figure]:
    run = f"{size}-"
    names = 1 if size > MIB else 4
    direct = {
        what: uvloop.run(_directly(trial.directory / f"direct-{size}", what, size, connections, seconds))
        for what in ("up", "down")
    }
    for what in ("up", "down"):
        before = cpu_of_tree(pid)
        done = in_another_process(
            what,
            port,
            key,
            _BUCKET,
            size=size,
            seconds=seconds,
            connections=connections,
            names=names,
            run=run,
        )
        cpu = cpu_of_tree(pid) - before
        yield from _figures(f"{name} {what}, {connections} clients", what, size, done, direct[what], cpu)


def _figures(name: str, what: str, size: int, done: Hammered, direct: float, cpu: float) -> Iterator[Figure]:
    goals = {"up": SMALL_UP, "down": SMALL_DOWN} if size < MIB else {"up": LARGE_UP, "down": LARGE_DOWN}
    per_second = len(done.waits) / done.seconds
    if size < MIB:
        yield Figure(name, per_second, "/s", at_least=goals[what])
        yield Figure(f"{name}, CPU of the server for each", cpu / len(done.waits) * 1e6, "µs")
    else:
        goal = goals[what] if size > MIB else None
        yield Figure(name, per_second * size / 1e6, "MB/s", at_least=goal)
    yield Figure(f"{name}, the store used directly beside it", direct / per_second, "x")


async def _directly(root: Path, what: str, size: int, connections: int, seconds: float) -> float:
    """Objects a second, by the same code and with the same care for the disk, without anything around it."""
    store, done = LocalObjects(root), 0
    content = bytes(range(256)) * (min(size, MIB) // 256)
    until = time.perf_counter() + seconds

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // len(content)):
            yield content

    async def go_on(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            if what == "up":
                await store.put(f"blobs/{number:02}/{uuid4().hex}", pieces(), size)
            else:
                async with store.get(f"blobs/read/{number}", 0, size) as found:
                    async for _ in found:
                        pass
            done += 1

    for number in range(connections):
        await store.put(f"blobs/read/{number}", pieces(), size)
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(go_on(number) for number in range(connections)))
    await store.close()
    return done / (time.perf_counter() - began)


@contextmanager
def _most_megabytes(pid: int) -> Iterator[Callable[[], float]]:
    """Looks at a process's memory all the time. What it yields tells the most there was."""
    most, over = 0.0, threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(_LOOK_SECONDS):
            most = max(most, resident_megabytes(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield lambda: most
    finally:
        over.set()
        looking.join()
