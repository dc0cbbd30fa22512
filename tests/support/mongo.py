"""Stand-ins for MongoDB, over its wire protocol: one that says yes to everything, and one that has answers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import bson

from tests.support.in_thread import ServerInThread

_QUERY, _REPLY, _MESSAGE = 2004, 1, 2013
_YES: Mapping[str, Any] = {
    "ok": 1.0,
    "version": "7.0.99",
    "isWritablePrimary": True,
    "helloOk": True,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}


@asynccontextmanager
async def agreeable_mongo() -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.start_server(_Talk({}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Mongo(ServerInThread):
    """
    `answers` by the name of a command, and `name:database` for one of a database; to all others it says yes.
    `asked` are the commands that came.
    """

    def __init__(self, answers: Mapping[str, Mapping[str, Any]], host: str = "127.0.0.1") -> None:
        super().__init__()
        self._host = host
        self._talk = _Talk(answers)
        self._server: asyncio.Server | None = None

    @property
    def asked(self) -> list[str]:
        return self._talk.asked

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._talk, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()


WANTS_LOGIN: Mapping[str, Any] = {
    "ok": 0.0,
    "errmsg": "command requires authentication",
    "code": 13,
    "codeName": "Unauthorized",
}


class _Talk:
    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length, request, _, operation = struct.unpack("<iiii", await reader.readexactly(16))
                content = await reader.readexactly(length - 16)
                # Drivers say hello the old way first.
                if operation == _QUERY:
                    operation, body = _REPLY, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(_YES)
                else:
                    assert operation == _MESSAGE
                    body = struct.pack("<iB", 0, 0) + bson.encode(self._answer(bson.decode(content[5:])))
                writer.write(struct.pack("<iiii", 16 + len(body), 0, request, operation) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        name = next(iter(command))
        self.asked.append(name)
        found = self._answers.get(f"{name}:{command.get('$db')}", self._answers.get(name))
        return _YES if found is None else {"ok": 1.0, **found}
