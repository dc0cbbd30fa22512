"""A few processes that change pictures, begun when there is a picture and ended when there is none for a while."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ogel.features.storage.errors import no_pictures_here, not_changed, pictures_wait
from ogel.features.storage.images.turns import TooManyWait, Turns
from ogel.features.storage.images.wanted import Rendition

PROCESSES = 2
# Waiting for one of them, and for how many seconds; others are asked to come later.
MOST_WAITING = 256
WAITING_SECONDS = 30.0
# From the first byte of a picture to the last of what became of it. The processor time within is limited, too.
SECONDS = 20.0
CPU_SECONDS = 15
MEMORY_BYTES = 512 * 1024 * 1024
MOST_PIXELS = 50_000_000
MOST_RESULT_BYTES = 32 * 1024 * 1024
# A process has 20 MB and more.
IDLE_SECONDS = 60.0
# A process is replaced after so many pictures, so that what libraries lose is found again.
_PICTURES_EACH = 500
_WORKER = Path(__file__).with_name("worker.py")


class Picture(Struct, frozen=True):
    content: bytes
    media_type: str


class ImagePool:
    """Bounded in processes, memory, time, and in how many wait."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._turns = Turns(PROCESSES, MOST_WAITING, WAITING_SECONDS)
        self._quiet: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def change(
        self, client: str, content: AsyncIterator[bytes], size: int, wanted: Rendition
    ) -> Picture:
        """
        `content` has `size` bytes, and is read when it is the client's turn. Raises StorageError: NotImplemented
        without Pillow, SlowDown, InvalidRequest for what is no picture, is damaged, or would take too much.
        """
        if find_spec("PIL") is None:
            raise no_pictures_here()
        try:
            async with self._turns.of(client):
                return await self._changed(content, size, wanted)
        except TooManyWait:
            raise pictures_wait() from None
        finally:
            self._close_later()

    async def close(self) -> None:
        """Ends the processes that have nothing to do."""
        while self._idle:
            await self._idle.pop().end()

    def _close_later(self) -> None:
        """When nobody has wanted a picture for a while; processes end with ours besides."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._begin_to_close)

    def _begin_to_close(self) -> None:
        self._closing = asyncio.create_task(self.close())

    async def _changed(self, content: AsyncIterator[bytes], size: int, wanted: Rendition) -> Picture:
        worker = self._idle.pop() if self._idle else await _Worker.begin()
        is_well = False
        try:
            async with asyncio.timeout(SECONDS):
                head, made = await worker.ask(content, size, wanted)
            is_well = True
        except (TimeoutError, EOFError, ConnectionError, ValueError) as error:
            # It took too long, or the kernel ended it: for its time, or for what a decoder did.
            raise not_changed("It takes more time or memory than a picture may.") from error
        finally:
            if is_well and worker.asked < _PICTURES_EACH:
                self._idle.append(worker)
            else:
                await worker.end()
        if "refused" in head:
            raise not_changed(head["refused"])
        return Picture(made, head["type"])


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.asked = 0

    @classmethod
    async def begin(cls) -> _Worker:
        limits = {
            "parent": os.getpid(),
            "pixels": MOST_PIXELS,
            "memory": MEMORY_BYTES,
            "cpu_seconds": CPU_SECONDS,
            "bytes": MOST_RESULT_BYTES,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(_WORKER), json.dumps(limits),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={}, start_new_session=True,
        )  # fmt: skip
        return cls(process)

    async def ask(
        self, content: AsyncIterator[bytes], size: int, wanted: Rendition
    ) -> tuple[dict[str, Any], bytes]:
        """Raises EOFError or ConnectionError: it has ended."""
        self.asked += 1
        source, target = self._process.stdin, self._process.stdout
        assert source is not None
        assert target is not None
        source.write(msgspec.json.encode({"size": size, **msgspec.structs.asdict(wanted)}) + b"\n")
        async for piece in content:
            source.write(piece)
            await source.drain()
        head = msgspec.json.decode(await target.readuntil(b"\n"))
        return head, await target.readexactly(head["size"])

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
