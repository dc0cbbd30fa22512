"""A pooler that leaves out what connections ask for at their start, as `ignore_startup_parameters = options` has it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.in_thread import ServerInThread

_TLS, _GSS = 80877103, 80877104  # requests for encryption, by the place of a protocol's version
_KNOWN = frozenset({b"user", b"database", b"application_name", b"client_encoding", b"options"})
_KEY = b"K" + (12).to_bytes(4)


class Pooler(ServerInThread):
    """`is_pgbouncer`: it also refuses what it does not know, and has numbers of its own for processes."""

    def __init__(self, server_port: int, is_pgbouncer: bool = False) -> None:
        super().__init__()
        self._server_port = server_port
        self._is_pgbouncer = is_pgbouncer
        self._server: asyncio.Server | None = None

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            first = await _message(reader)
            while int.from_bytes(first[:4]) in (_TLS, _GSS):
                writer.write(b"N")
                first = await _message(reader)
            if self._is_pgbouncer and (unknown := _names(first[4:]) - _KNOWN):
                said = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: " + min(unknown) + b"\0\0"
                writer.write(b"E" + (len(said) + 4).to_bytes(4) + said)
                writer.close()
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
            sent = first[:4] + _without_options(first[4:])
            back.write((len(sent) + 4).to_bytes(4) + sent)
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer, renumbers=self._is_pgbouncer))


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One that has no type: the first of a connection."""
    length = int.from_bytes(await reader.readexactly(4))
    return await reader.readexactly(length - 4)


def _names(parameters: bytes) -> set[bytes]:
    return set(parameters.rstrip(b"\0").split(b"\0")[::2])


def _without_options(parameters: bytes) -> bytes:
    words = parameters.rstrip(b"\0").split(b"\0")
    kept = [(name, value) for name, value in zip(words[::2], words[1::2], strict=True) if name != b"options"]
    return b"".join(name + b"\0" + value + b"\0" for name, value in kept) + b"\0"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, renumbers: bool = False) -> None:
    try:
        while piece := await reader.read(65536):
            if renumbers and _KEY in piece:
                before, _, behind = piece.partition(_KEY)
                piece, renumbers = before + _KEY + (4_000_001).to_bytes(4) + behind[4:], False
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()
