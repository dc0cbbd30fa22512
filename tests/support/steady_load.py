"""Events published at a steady rate from a thread of its own, each until it is accepted, with the times of each."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.process import ADMIN_KEY, Client

CONNECTIONS = 16
# A process that was killed is back long before this.
GIVE_UP_SECONDS = 60.0
AGAIN_SECONDS = 0.05
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Published:
    """`sent` is when it first went out, `accepted` when a 202 came back, both in time.monotonic()."""

    id: str
    type: str
    sent: float
    accepted: float


class SteadyLoad:
    """
    Publishes while the block runs: event types in turn, ids of its own, `rate` a second. Publishing again under the
    same id is how a client makes sure of an event when the API went away before answering.
    """

    def __init__(
        self, api: Client, types: Sequence[str], rate: float, name: str, key: str = ADMIN_KEY
    ) -> None:
        self._port = api.port
        self._types = types
        self._rate = rate
        self._name = name
        self._key = key
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
        self._failed: BaseException | None = None
        self.published: list[Published] = []

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(GIVE_UP_SECONDS + 10)
        if kind is None:
            assert not self._thread.is_alive(), "the load has not ended"
            assert self._failed is None, f"the load could not be published: {self._failed!r}"

    def _run(self) -> None:
        try:
            asyncio.run(self._publish_until_stopped())
        except BaseException as failure:  # noqa: BLE001 - told in the thread that started the load
            self._failed = failure

    async def _publish_until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        for _ in range(CONNECTIONS):
            self._free.put_nowait(None)
        self._ready.set()
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                if await self._stopped_before(began + number / self._rate):
                    break
                type = self._types[number % len(self._types)]
                group.create_task(self._publish(f"{self._name}-{number}", type, number))
        while not self._free.empty():
            if connection := self._free.get_nowait():
                connection[1].close()

    async def _stopped_before(self, moment: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, moment - time.monotonic())):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def _publish(self, id: str, type: str, number: int) -> None:
        body = json.dumps({"type": type, "data": {"n": number}, "id": id}).encode()
        sent = None
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while True:
            connection = await self._free.get()
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", self._port)
                sent = sent or time.monotonic()
                status = await self._ask(*connection, body)
            except (OSError, asyncio.IncompleteReadError) as error:
                if connection is not None:
                    connection[1].close()
                connection, status = None, repr(error)
            finally:
                self._free.put_nowait(connection)
            if status == "202":
                self.published.append(Published(id, type, sent or 0.0, time.monotonic()))
                return
            if time.monotonic() > give_up or status.startswith("4"):
                raise AssertionError(f"event {id} was not accepted: {status}")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> str:
        head = (
            f"POST /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        await reader.readexactly(int(length[1]) if length else 0)
        return answer.split(b" ", 2)[1].decode()


def publish_many(
    api: Client, type: str, count: int, name: str, *, at_once: int = 500, **more: Any
) -> list[str]:
    """A heap of events, in the largest batches the API takes; returns their ids."""
    events = [{"type": type, "data": {"n": n}, "id": f"{name}-{n}", **more} for n in range(count)]
    for start in range(0, count, at_once):
        api.ok("POST", "/api/events", events[start : start + at_once])
    return [event["id"] for event in events]
