"""What is spoken to line by line: HTTP, SMTP; and what is only connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

from ogel.adapters.network.conversation import Conversation, Unanswered, one_line
from ogel.runtime.network.server import NamedServer

_SECONDS = 5.0
_MOST_BYTES = 65_536
_MOST_LINES = 200
_VERSION_LENGTH = 60

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def begin_http(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """HEAD of what the settings name, on one connection for as long as the server keeps it. Raises Unanswered."""
    parts = urlsplit(server.url)
    host, port = server.places[0]
    tls = parts.scheme == "https"
    head = f"HEAD {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nAccept: */*\r\n"
    request = f"{head}User-Agent: ogel-network\r\n\r\n".encode("ascii", "replace")
    with _faults():
        reader, writer = await _open(host, port, addresses, tls)

    async def ping() -> None:
        with _faults():
            await _answer(reader, writer, request)

    return Conversation(ping, _closing(writer), tls)


async def begin_smtp(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """The greeting, EHLO, STARTTLS where letters would be sent so; then NOOP. Raises Unanswered."""
    scheme = urlsplit(server.url).scheme
    host, port = server.places[0]
    with _faults():
        reader, writer = await _open(host, port, addresses, scheme == "smtps")

    async def say(line: str) -> list[str]:
        writer.write(f"{line}\r\n".encode())
        await writer.drain()
        return await _reply(reader)

    async def ping() -> None:
        with _faults():
            await say("NOOP")

    try:
        with _faults():
            greeting = await _reply(reader)
            offers = await say(f"EHLO {socket.gethostname() or 'localhost'}")
            if scheme == "smtp":
                if not any(line[4:].strip().upper() == "STARTTLS" for line in offers):
                    raise Unanswered("it offers no STARTTLS, which smtp:// insists on")
                await say("STARTTLS")
                await writer.start_tls(_context(), server_hostname=host, ssl_handshake_timeout=_SECONDS)
    except BaseException:
        writer.close()
        raise
    return Conversation(
        ping, _closing(writer), scheme != "smtp+plain", greeting[0][4:][:_VERSION_LENGTH] or None
    )


async def begin_tcp(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """Connecting is all there is to ask of it. Raises Unanswered."""
    host, port = server.places[0]

    async def ping() -> None:
        with _faults():
            _, writer = await _open(host, port, addresses, tls=False)
            await _closing(writer)()

    async def close() -> None:
        """No connection is kept."""

    await ping()
    return Conversation(ping, close, tls=False)


async def _open(host: str, port: int, addresses: Sequence[str], tls: bool) -> Pair:
    """The first address that takes a connection; the certificate is held against the name."""
    error: Exception = OSError("no address")
    for address in addresses or (host,):
        try:
            async with asyncio.timeout(_SECONDS):
                return await asyncio.open_connection(
                    address,
                    port,
                    ssl=_context() if tls else None,
                    server_hostname=host if tls else None,
                    limit=_MOST_BYTES,
                )
        except (TimeoutError, OSError) as found:
            error = found
    raise error


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    """Any status will do. A HEAD has no body."""
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        raise Unanswered("it does not speak HTTP")


async def _reply(reader: asyncio.StreamReader) -> list[str]:
    lines: list[str] = []
    async with asyncio.timeout(_SECONDS):
        while len(lines) < _MOST_LINES:
            line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                raise Unanswered("it closed the connection")
            lines.append(line)
            if line[3:4] != "-":
                break
    if not lines[-1].startswith("2"):
        raise Unanswered(f"it answered {lines[-1][:100]}")
    return lines


@contextmanager
def _faults() -> Iterator[None]:
    """Whatever ends a conversation, as one line."""
    try:
        yield
    except TimeoutError:
        raise Unanswered(f"no answer within {_SECONDS:g} s") from None
    except (asyncio.IncompleteReadError, ConnectionResetError):
        raise Unanswered("it closed the connection") from None
    except ssl.SSLCertVerificationError as error:
        raise Unanswered(f"its certificate is not good: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Unanswered(f"TLS failed: {one_line(error)}") from None
    except OSError as error:
        raise Unanswered(one_line(error)) from None
    except (asyncio.LimitOverrunError, ValueError):
        raise Unanswered("its answer is too long") from None


def _closing(writer: asyncio.StreamWriter) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()

    return close


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
