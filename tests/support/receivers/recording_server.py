"""
A receiver that does as it is told and remembers every request: program of the class in recording.py.

One asyncio protocol reads just enough HTTP to know where a request ends, so that the receiver is never the slow one.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict, deque
from typing import Any, cast

import uvloop
from answering import answer_questions

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_ID = re.compile(rb"\r\nwebhook-id: *([^\r]*)\r\n", re.IGNORECASE)
_SUCCESS = range(200, 300)


class Visit:
    """One request; `answered` and `status` stay None while, or if, it is not answered."""

    __slots__ = ("answered", "arrived", "body", "head", "id", "path", "status")

    def __init__(self, id: str, path: str, head: bytes, body: bytes) -> None:
        self.arrived = time.monotonic()
        self.id = id
        self.path = path
        self.head = head
        self.body = body
        self.answered: float | None = None
        self.status: int | None = None

    def row(self, content: bool) -> list[Any]:
        row = [self.id, self.path, self.arrived, self.answered, self.status]
        return [*row, self.head.decode("latin-1"), self.body.decode()] if content else row


class Tally:
    """How many requests came, for how many events, and how many events were answered with a success."""

    def __init__(self) -> None:
        self.requests = 0
        self.events: set[str] = set()
        self.accepted: set[str] = set()

    def count(self, what: str) -> int:
        return self.requests if what == "requests" else len(getattr(self, what))


class Waiting:
    """Somebody wants to know when a tally has reached a count, or has all of some ids."""

    def __init__(self, tally: Tally, what: str, count: int, ids: list[str]) -> None:
        self.tally = tally
        self.what = what
        self.reached = asyncio.Event()
        self._count = count
        self._missing = {id for id in ids if id not in getattr(tally, what)} if ids else set()
        self.look("")

    def look(self, id: str) -> None:
        self._missing.discard(id)
        if not self._missing and self.tally.count(self.what) >= self._count:
            self.reached.set()

    def left(self) -> int:
        return max(len(self._missing), self._count - self.tally.count(self.what), 0)


class Script:
    """The answers of one path: each once, the last one again and again; a share of requests fails before."""

    def __init__(self, answers: list[dict[str, Any]], fail_share: float, seed: int) -> None:
        self._answers = deque(answers)
        self._fail_share = fail_share
        self._random = random.Random(seed)

    def next(self) -> dict[str, Any]:
        if self._fail_share and self._random.random() < self._fail_share:
            return {**self._answers[0], "status": 500}
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class Receiver:
    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.keep_content = True
        self._tallies: defaultdict[str | None, Tally] = defaultdict(Tally)
        self._scripts: dict[str, Script] = {}
        self._default = Script([{"status": 204}], 0.0, 0)
        self._listening: dict[int, asyncio.Server] = {}
        self.connections: defaultdict[int, set[Connection]] = defaultdict(set)
        self._waiting: list[Waiting] = []

    async def answer(self, question: dict[str, Any]) -> Any:
        return await getattr(self, "do_" + question["question"])(question)

    async def do_open(self, question: dict[str, Any]) -> int:
        loop = asyncio.get_running_loop()
        wanted = question["port"]
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", wanted, backlog=4096)
        port: int = server.sockets[0].getsockname()[1]
        self._listening[port] = server
        return port

    async def do_close(self, question: dict[str, Any]) -> None:
        """Later connections are refused, those that are there are reset."""
        self._listening.pop(question["port"]).close()
        for connection in list(self.connections[question["port"]]):
            connection.transport.abort()

    async def do_script(self, question: dict[str, Any]) -> None:
        self._scripts[question["path"]] = Script(
            question["answers"], question["fail_share"], question["seed"]
        )

    async def do_keep_content(self, question: dict[str, Any]) -> None:
        self.keep_content = question["keep"]

    async def do_wait(self, question: dict[str, Any]) -> int:
        """How many are still missing, once none is or the time is over."""
        tally = self._tallies[question["path"]]
        waiting = Waiting(tally, question["what"], question["count"], question["ids"])
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(question["at_most_seconds"]):
                await waiting.reached.wait()
        except TimeoutError:
            pass  # the number tells
        finally:
            self._waiting.remove(waiting)
        return waiting.left()

    async def do_count(self, question: dict[str, Any]) -> int:
        return self._tallies[question["path"]].count(question["what"])

    async def do_visits(self, question: dict[str, Any]) -> list[list[Any]]:
        path, content = question["path"], question["content"]
        return [visit.row(content) for visit in self.visits if path in (None, visit.path)]

    def arrived(self, head: bytes, body: bytes) -> tuple[Visit, dict[str, Any]]:
        path = head[: head.index(b"\r\n")].split(b" ")[1].decode("latin-1")
        id = _ID.search(head)
        kept = (head, body) if self.keep_content else (b"", b"")
        visit = Visit(id[1].decode() if id else "", path, *kept)
        self.visits.append(visit)
        tallies = self._tallies_of(visit)
        for tally in tallies:
            tally.requests += 1
            tally.events.add(visit.id)
        self._tell("events", visit.id, tallies)
        return visit, self._scripts.get(path, self._default).next()

    def answered(self, visit: Visit, status: int) -> None:
        visit.answered = time.monotonic()
        visit.status = status
        if status in _SUCCESS:
            tallies = self._tallies_of(visit)
            for tally in tallies:
                tally.accepted.add(visit.id)
            self._tell("accepted", visit.id, tallies)

    def _tallies_of(self, visit: Visit) -> tuple[Tally, Tally]:
        """Of its path, and of all."""
        return self._tallies[visit.path], self._tallies[None]

    def _tell(self, what: str, id: str, tallies: tuple[Tally, Tally]) -> None:
        """Those who wait for something at another path have not seen it."""
        for waiting in self._waiting:
            # A request counts although its event has come before.
            if waiting.tally in tallies and waiting.what in (what, "requests"):
                waiting.look(id)


class Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._here = self._receiver.connections[transport.get_extra_info("sockname")[1]]
        self._here.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._here.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < size:
                return
            head, body = self._received[: end + 2], self._received[end + 4 : size]
            self._received = self._received[size:]
            visit, answer = self._receiver.arrived(head, body)
            self._obey(visit, answer)

    def _obey(self, visit: Visit, answer: dict[str, Any]) -> None:
        if answer.get("hang"):
            return
        if seconds := answer.get("after_seconds"):
            self._loop.call_later(seconds, self._answer, visit, answer)
        else:
            self._answer(visit, answer)

    def _answer(self, visit: Visit, answer: dict[str, Any]) -> None:
        if self.transport.is_closing():
            return  # the sender has gone: this request was never answered
        status, body = answer["status"], answer.get("body", "").encode()
        fields = {**answer.get("headers", {}), "content-length": len(body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._receiver.answered(visit, status)
        self.transport.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)


if __name__ == "__main__":
    uvloop.run(answer_questions(Receiver().answer))
