"""A connection of Server-Sent Events (HTML §9.2): an answer that goes on to the end of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.kernel.principal import Principal
from ogel.runtime.realtime.connections.connection import Connection, MakeSession
from ogel.runtime.realtime.connections.session import Farewell

if TYPE_CHECKING:
    from ogel.runtime.realtime.connections.registry import Registry

# A client that only listens has nothing to send. Without this limit it could send without end, while other requests
# have a body limit.
MAX_CLIENT_BYTES = 64 * 1024
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Keeps nginx and other proxies from buffering events before they pass them on.
    (b"x-accel-buffering", b"no"),
]


class SseConnection(Connection):
    __slots__ = ("_received",)

    kind = "sse"

    def __init__(
        self, registry: Registry, principal: Principal, address: str | None, make: MakeSession
    ) -> None:
        super().__init__(registry, principal, address, make)
        self._received = 0

    def data_received(self, data: bytes) -> None:
        if self._house is not None:
            self._house.traffic.received += len(data)
        self._received += len(data)
        if self._received > MAX_CLIENT_BYTES and self._session is not None:
            self._registry.metrics.ended("flooded", 0)
            self.abort()

    def _parting(self, farewell: Farewell) -> bytes:
        return farewell.last
