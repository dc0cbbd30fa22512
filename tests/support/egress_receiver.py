"""Receivers that do as a test says, and a client with good defaults to send to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from ogel.adapters.egress import AddressGuard, EgressClient, EgressError, Exchange

Story = Coroutine[Any, Any, None]
Run = Callable[[Story], None]
Answer = Callable[["Visit"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Visit:
    """One request as a receiver sees it; `connection` counts from 1."""

    def __init__(self, connection: int, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.connection = connection
        self.head = head
        self.body = body
        self.write = writer.write
        self.close = writer.close


class Receiver:
    """Answers each request as the test says, and remembers them."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._serving: set[asyncio.Task[None]] = set()
        self.visits: list[Visit] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
        async with await asyncio.start_server(self._accept, host, 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.create_task(self._serve(self.connections, reader, writer)))

    async def _serve(
        self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                visit = Visit(connection, head, await reader.readexactly(length), writer)
                self.visits.append(visit)
                await self._answer(visit)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client has left, as clients may.
        finally:
            writer.transport.abort()


async def say_ok(visit: Visit) -> None:
    visit.write(OK)


class Names:
    """A resolver with a script: each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: tuple[str, ...], silent: bool = False) -> None:
        self._answers = list(answers)
        self._silent = silent
        self.asked: list[str] = []

    def cached(self, host: str) -> None:
        return None

    async def resolve(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def is_silent(self, host: str) -> bool:
        return self._silent


@asynccontextmanager
async def a_client(*allow: str, **options: Any) -> AsyncIterator[EgressClient]:
    """`allow` is all of loopback when nothing is said."""
    client = EgressClient(
        AddressGuard(allow=[ip_network(net) for net in allow or ("127.0.0.0/8",)]), **options
    )
    try:
        yield client
    finally:
        await client.close()


async def send(client: EgressClient, url: str, **changes: Any) -> Exchange:
    wanted: dict[str, Any] = {"headers": [], "body": b"{}", "timeout_seconds": 5.0, "pool_key": "whk_1"}
    return await client.post(url, **wanted | changes)


async def failure(client: EgressClient, url: str, **changes: Any) -> EgressError:
    with pytest.raises(EgressError) as failed:
        await send(client, url, **changes)
    return failed.value
