"""A thousand connections of every sort for ten minutes: memory stays flat, no file is lost, it stops in time."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.crowd import Crowd
from tests.support.memory import resident_bytes
from tests.support.process import Ogel, eventually

SECONDS = float(os.environ.get("OGEL_TEST_CROWD_SECONDS", "600"))
WARM_SECONDS = min(20.0, SECONDS / 2)
SAMPLES = 120
MEGABYTE = 1024 * 1024
# A short try, on a machine that does much else, is over before everything has been used once.
IN_EARNEST = SECONDS >= 300
# By which memory may grow in the last half, by the line that fits its samples best: an allocator breathes.
GROWTH_BYTES = (8 if IN_EARNEST else 40) * MEGABYTE
# Of the good ones' requests, answered with 503 because the database was too busy.
PUT_OFF_SHARE = 0.01 if IN_EARNEST else 0.5
# Sockets of pools may come and go; each client that left one would be one more.
FILES_MORE = 10
DRAIN_SECONDS = 10


@dataclass
class Samples:
    pid: int
    at: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    async def take(self, seconds: float) -> None:
        while True:
            self.at.append(time.monotonic())
            self.resident.append(resident_bytes(self.pid))
            self.files.append(open_files(self.pid))
            await asyncio.sleep(seconds / SAMPLES)

    @property
    def growth(self) -> float:
        """In bytes, over the last half."""
        half = len(self.at) // 2
        return growth(self.at[half:], self.resident[half:])


def growth(at: Sequence[float], values: Sequence[float]) -> float:
    """From the first to the last moment, by least squares."""
    slope = statistics.linear_regression(at, values).slope
    return slope * (at[-1] - at[0])


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_096 if hard == resource.RLIM_INFINITY else min(4_096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 240)
def test_a_thousand_connections(tmp_path: Path, database_url: str, redis_url: str) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_DRAIN_SECONDS": str(DRAIN_SECONDS),
    }
    process = Ogel(
        "api", "--with", "worker,scheduler,realtime", fresh=True, log=tmp_path / "api.log", **settings
    )
    with many_files(), process as ogel:
        assert ogel.process is not None
        samples = Samples(ogel.process.pid)
        crowd = Crowd(ogel.port, seed=11)

        async def told() -> int:
            await Crowd(ogel.port, seed=1).run(WARM_SECONDS)
            await asyncio.to_thread(eventually, lambda: served(ogel), 30, "all to have left")
            before = open_files(samples.pid)
            taking = asyncio.create_task(samples.take(SECONDS))
            await crowd.run(SECONDS)
            taking.cancel()
            return before

        before = asyncio.run(told())
        most = max(samples.files)
        print(
            f"\n{dict(crowd.done)}; files {before}, at most {most}; resident {samples.resident[0] / MEGABYTE:.0f} MB, "
            f"at most {max(samples.resident) / MEGABYTE:.0f}, in the last half {samples.growth / MEGABYTE:+.1f} MB"
        )
        assert crowd.failed == []
        assert crowd.done["put off"] <= (crowd.done["read"] + crowd.done["published"]) * PUT_OFF_SHARE
        assert most > 800, "there was no crowd"
        assert {"read", "published", "heard by SSE", "heard by WebSocket", "rude"} <= set(crowd.done)
        assert samples.growth <= GROWTH_BYTES
        eventually(
            lambda: open_files(samples.pid) <= before + FILES_MORE, 30, f"the files to be {before} again"
        )
        stopping_with_a_crowd(ogel)
        assert "http.connection_broke" not in ogel.log_text()
        assert '"level": "error"' not in ogel.log_text()


def stopping_with_a_crowd(ogel: Ogel) -> None:
    """In the middle of it all."""

    async def told() -> None:
        crowd = asyncio.create_task(Crowd(ogel.port, seed=2).run(WARM_SECONDS))
        await asyncio.sleep(WARM_SECONDS / 2)
        began = time.monotonic()
        assert await asyncio.to_thread(ogel.terminate, DRAIN_SECONDS + 10) == 0
        assert time.monotonic() - began < DRAIN_SECONDS + 5
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)

    asyncio.run(told())


def served(ogel: Ogel) -> bool:
    return ogel.api("GET", "/health/ready").status == 200
