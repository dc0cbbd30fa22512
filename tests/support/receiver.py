"""A webhook receiver in a thread: remembers every request, answers as the test says, and can be waited on."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from tests.support.in_thread import ServerInThread


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0


class Receiver(ServerInThread):
    """`answer` decides per request; requests count as received when their body is in, before the answer."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        super().__init__()
        self.answer = answer or (lambda _: Answer())
        self.requests: list[Request] = []
        self._changed = threading.Condition()
        self._server: asyncio.Server | None = None

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ids(self, path: str | None = None) -> Counter[str]:
        with self._changed:
            return Counter(request.id for request in self.requests if path in (None, request.path))

    def wait_for(
        self, enough: Callable[[Sequence[Request]], bool], seconds: float, what: str = "requests"
    ) -> list[Request]:
        """Returns all requests once `enough` says so; AssertionError with the count when it does not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self.requests), timeout=seconds):
                raise AssertionError(f"waited {seconds} s for {what}; {len(self.requests)} requests came")
            return list(self.requests)

    def wait_for_ids(self, ids: Sequence[str], seconds: float) -> list[Request]:
        """Every id at least once."""
        wanted = set(ids)
        return self.wait_for(
            lambda requests: wanted <= {request.id for request in requests}, seconds, f"{len(wanted)} events"
        )

    def wait_for_count(self, count: int, seconds: float = 10.0) -> list[Request]:
        return self.wait_for(lambda requests: len(requests) >= count, seconds, f"{count} requests")

    def verify_all(self, secret: str) -> None:
        """By the independent reference library; raises when one signature is wrong."""
        webhook = Webhook(secret)
        for request in list(self.requests):
            webhook.verify(request.body, request.headers)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read_request(reader)
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                answer = self.answer(request)
                if answer.after_seconds:
                    await asyncio.sleep(answer.after_seconds)
                fields = {**answer.headers, "content-length": str(len(answer.body))}
                head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                writer.write(f"HTTP/1.1 {answer.status} X\r\n{head}\r\n".encode() + answer.body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1]
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(path, headers, body)
