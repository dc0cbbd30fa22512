"""Connections of realtime with nothing behind them but sessions that a test can look into."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.realtime.connections.connection import Connection
from ogel.runtime.realtime.connections.frames import BINARY, TEXT, frame
from ogel.runtime.realtime.connections.registry import ConnectionOptions, Registry
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.metrics import RealtimeMetrics
from tests.support.door import Recorder, door

CODES = {
    Reason.SLOW: 1013,
    Reason.FLOODED: 1008,
    Reason.SHUTDOWN: 1001,
    Reason.REVOKED: 4401,
    Reason.EXPIRED: 4401,
    Reason.FAILED: 1011,
}


class EchoSession:
    """Echoes messages, says "refused" to those that come too fast, and breaks at "fail"."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.got: list[str | bytes] = []
        self.refused = 0
        self.pings = 0
        self.endings: list[Reason] = []
        self.gone_times = 0

    def received(self, message: str | bytes) -> None:
        self.got.append(message)
        if message == "fail":
            raise ZeroDivisionError
        text = isinstance(message, str)
        self.write(frame(TEXT if text else BINARY, message.encode() if isinstance(message, str) else message))

    def write(self, framed: bytes) -> None:
        if not self.connection.write(framed):
            self.connection.end(Reason.SLOW)

    def rate_limited(self, message: str | bytes) -> None:
        self.refused += 1
        self.write(frame(TEXT, b"refused"))

    def ping(self) -> None:
        self.pings += 1
        self.connection.write(frame(TEXT, b"ping?"))

    def ended(self, reason: Reason) -> Farewell:
        self.endings.append(reason)
        return Farewell(CODES[reason], reason)

    def gone(self) -> None:
        self.gone_times += 1


@dataclass
class Taking(Recorder):
    """A Recorder whose WebSockets, and whose path `/sse`, are taken over by connections of realtime."""

    options: ConnectionOptions = field(default_factory=lambda: ConnectionOptions(max_message_bytes=1 << 20))
    caller: Caller = field(default_factory=lambda: Caller(SYSTEM, "req_1", "192.0.2.1"))
    addresses: list[str] = field(default_factory=list)  # of those who come next
    sessions: list[EchoSession] = field(default_factory=list)
    prometheus: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.registry = Registry(RealtimeMetrics(self.prometheus), self.options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.addresses:
            self.caller = replace(self.caller, ip=self.addresses.pop())
        if scope["path"] == "/sse":
            await self.registry.sse(self.caller, send, self._make)
        else:
            await super().__call__(scope, receive, send)

    async def _echo(self, receive: Receive, send: Send) -> None:
        await self.registry.websocket(self.caller, send, self._make)

    def _make(self, connection: Connection) -> EchoSession:
        session = EchoSession(connection)
        self.sessions.append(session)
        return session

    def sample(self, name: str, **labels: str) -> float | None:
        return self.prometheus.get_sample_value(f"ogel_realtime_{name}", labels)


@asynccontextmanager
async def taking_door(**options: Any) -> AsyncIterator[Taking]:
    taking = Taking(options=ConnectionOptions(**{"max_message_bytes": 1 << 20, **options}))
    async with door(taking):
        yield taking
        await taking.registry.drain()
