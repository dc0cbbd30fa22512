"""
The least that a fan-out costs: a loop that writes each message it is sent to all who are connected, one encode and one
`transport.write` each, and nothing else.

    python -m bench.fan_out PORT

Clients shake hands on it as with a WebSocket. Whoever sends `PUBLISH` in the place of a request is a publisher: each
line that follows is a message.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from ogel.runtime.realtime.connections.frames import TEXT, frame

READY = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(TEXT, b'{"type":"ready"}')


class Client(asyncio.Protocol):
    everybody: set[asyncio.Transport] = set()  # noqa: RUF012 - of this process

    def __init__(self) -> None:
        self._rest = b""
        self._publishes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._publishes:
            for line in lines:
                message = frame(TEXT, line)
                for each in self.everybody:
                    each.write(message)
        elif lines[:1] == [b"PUBLISH"]:
            self._publishes = True
        elif lines and lines[-1] == b"\r":
            self.everybody.add(self._transport)
            self._transport.write(READY)

    def connection_lost(self, exc: Exception | None) -> None:
        self.everybody.discard(self._transport)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
