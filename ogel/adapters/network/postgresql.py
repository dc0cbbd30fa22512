"""PostgreSQL: signing in, `SELECT 1`, and whether a pooler stands before the server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg import AsyncConnection

from ogel.adapters.network.conversation import Conversation, Unanswered, one_line
from ogel.runtime.network.server import NamedServer
from ogel.runtime.secrets.scrub import Scrubber
from ogel.runtime.server_urls.parts import ServerUrl

APPLICATION = "ogel-network"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 2.0
_PROTOCOL = 196608  # 3.0
_ASKS_FOR_TLS = (8).to_bytes(4) + (80877103).to_bytes(4)
_MOST_BYTES = 8192


async def begin(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """To these addresses, if any. Raises Unanswered."""
    password = ServerUrl.parse(server.url).password
    scrub = Scrubber([password, unquote(password)] if password else [])
    host, port = server.places[0]
    pinned: dict[str, Any] = {}
    if count := len(addresses):
        pinned = {"host": ",".join([host] * count), "hostaddr": ",".join(addresses)}
        pinned["port"] = ",".join([str(port)] * count)
    try:
        connection = await AsyncConnection.connect(
            server.url,
            autocommit=True,
            prepare_threshold=None,  # a pooler may hand each statement to another session
            connect_timeout=_CONNECT_SECONDS,
            application_name=APPLICATION,
            gssencmode="disable",
            **pinned,
        )
    except psycopg.Error as error:
        raise Unanswered(scrub(one_line(error))) from None

    async def ping() -> None:
        try:
            await connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise Unanswered(scrub(one_line(error))) from None

    return Conversation(
        ping,
        connection.close,
        bool(connection.pgconn.ssl_in_use),
        connection.info.parameter_status("server_version"),
        await _pooler(connection, host, port, addresses),
    )


async def _pooler(
    connection: AsyncConnection[tuple[object, ...]], host: str, port: int, addresses: Sequence[str]
) -> str | None:
    """
    What a pooler answers with as the process behind this connection is a number of its own. Which one it is, it does
    not say; but PgBouncer alone refuses parameters that it does not know, before anybody has signed in.
    """
    try:
        row = await (
            await connection.execute("SELECT pg_backend_pid(), current_setting('application_name')")
        ).fetchone()
    except psycopg.Error:
        return None  # a server that is no PostgreSQL, and only speaks like one
    if row is None or row[0] == connection.info.backend_pid:
        return None
    if "supavisor" in str(row[1]).lower() or host.endswith(".pooler.supabase.com"):
        return "Supavisor"
    # Where the connection is pinned to addresses, this one goes nowhere else either.
    there = connection.info.hostaddr if addresses else host
    if not host.startswith("/") and await _refuses_parameters(there, port):
        return "PgBouncer"
    return "a pooler"


def _anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _refuses_parameters(host: str, port: int) -> bool:
    body = _PROTOCOL.to_bytes(4) + b"user\0ogel\0database\0ogel\0ogel.network\x001\0\0"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_ASKS_FOR_TLS)
                if await reader.readexactly(1) == b"S":
                    # To whom is of no matter: nothing is said that anybody might not hear.
                    await writer.start_tls(_anybody())
                writer.write((len(body) + 4).to_bytes(4) + body)
                said = await reader.read(_MOST_BYTES)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (TimeoutError, OSError, EOFError):
        return False
    return said.startswith(b"E") and b"unsupported startup parameter" in said
