"""Latency: from an event to its request, and of the API itself, under a steady load."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvloop

from bench.figures import Figure, latencies
from bench.load import Call, in_another_process
from bench.receiver import Receiver
from bench.world import cpu_seconds, create_webhook, pid_of
from tests.support.process import Ogel

RECEIVER_SECONDS = 0.05
ARRIVAL_DEADLINE_SECONDS = 15.0
EVENTS_PER_SECOND = 200.0
REQUESTS_PER_SECOND = 300.0
_ID = re.compile(rb"\r\nwebhook-id: *([^\r]+)\r\n", re.IGNORECASE)


@dataclass
class Arrivals:
    """When each event's first request came in, by time.monotonic()."""

    at: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def received(self) -> AsyncIterator[int]:
        """Yields the receiver's port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Stamping(self), "127.0.0.1", 0, backlog=1024)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def of(self, ids: set[str]) -> None:
        async with asyncio.timeout(ARRIVAL_DEADLINE_SECONDS):
            while not ids <= self.at.keys():
                self.changed.clear()
                await self.changed.wait()


class _Stamping(Receiver):
    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__(RECEIVER_SECONDS)
        self._arrivals = arrivals

    def data_received(self, data: bytes) -> None:
        # The client sends one request at a time on a connection, its head in one segment.
        if head := _ID.search(data):
            self._arrivals.at.setdefault(head[1].decode(), time.monotonic())
            self._arrivals.changed.set()
        super().data_received(data)


def event_to_request(name: str, api: Ogel, seconds: float) -> list[Figure]:
    """
    The commit lies between `sent` and `answered`, so the truth lies between the two: counted from the start of the
    publishing request it includes the API's own work and the commit, and is what a publisher would call the delay.
    """
    cpu_before = cpu_seconds(pid_of(api))
    calls, arrivals = uvloop.run(_loaded(api, EVENTS_PER_SECOND, seconds))
    cpu = cpu_seconds(pid_of(api)) - cpu_before
    from_start = [arrivals[call.id] - call.sent for call in calls]
    from_answer = [arrivals[call.id] - call.answered for call in calls]
    return [
        *latencies(f"{name}, from publish sent to request in", from_start, p99_at_most=50),
        *latencies(f"{name}, from publish answered to request in", from_answer),
        Figure(f"{name}, CPU of the publishing process for each", cpu / len(calls) * 1e6, "µs"),
    ]


def api_latency(name: str, api: Ogel, seconds: float) -> list[Figure]:
    """Half of the requests read an event by its id, half publish one that is delivered."""
    cpu_before = cpu_seconds(pid_of(api))
    calls, _ = uvloop.run(_loaded(api, REQUESTS_PER_SECOND, seconds, reads=0.5))
    cpu = cpu_seconds(pid_of(api)) - cpu_before
    figures = [Figure(f"{name}, CPU of the process for each", cpu / len(calls) * 1e6, "µs")]
    for kind, what in (("read", "read an event by id"), ("publish", "publish an event")):
        waits = [call.answered - call.asked for call in calls if call.kind == kind]
        figures += latencies(f"{name}, {what}", waits, p99_at_most=20)
    return figures


async def _loaded(
    api: Ogel, rate: float, seconds: float, reads: float = 0.0
) -> tuple[list[Call], dict[str, float]]:
    arrivals = Arrivals()
    async with arrivals.received() as port:
        webhook = await asyncio.to_thread(create_webhook, api, port)
        calls = await in_another_process(api.port, rate, seconds, reads)
        await arrivals.of({call.id for call in calls})
        await asyncio.to_thread(api.api.ok, "DELETE", f"/api/webhooks/{webhook['id']}")
    return calls, arrivals.at
