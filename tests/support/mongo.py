"""A MongoDB that says yes to every command, over its wire protocol."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bson

_QUERY, _REPLY, _MESSAGE = 2004, 1, 2013
_ANSWER = bson.encode(
    {
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
)


@asynccontextmanager
async def agreeable_mongo() -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            length, request, _, operation = struct.unpack("<iiii", await reader.readexactly(16))
            await reader.readexactly(length - 16)
            # Drivers say hello the old way first.
            if operation == _QUERY:
                operation, body = _REPLY, struct.pack("<iqii", 8, 0, 0, 1) + _ANSWER
            else:
                assert operation == _MESSAGE
                body = struct.pack("<iB", 0, 0) + _ANSWER
            writer.write(struct.pack("<iiii", 16 + len(body), 0, request, operation) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
