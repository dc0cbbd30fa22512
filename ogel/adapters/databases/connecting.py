"""A connection to a PostgreSQL database that is not ours: bounded, vetted, and with errors that name the reason."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from ogel.runtime.database.registered import Target, TargetError

CONNECT_SECONDS = 5
MESSAGE_LENGTH = 500
# The server's words, since libpq gives no SQLSTATE for a connection that was refused. Those of a server that speaks
# another language are not known, and the connection is tried again.
_HOPELESS = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "server does not support SSL",
    "certificate verify failed",
)
# What was asked for is not there, not allowed or not possible, and would not be at another try.
_FINAL_CODES = ("0A", "25006", "28", "3D", "3F", "42")


@asynccontextmanager
async def connected(
    target: Target, addresses: Sequence[str], settings: Sequence[str]
) -> AsyncIterator[AsyncConnection[Any]]:
    """`settings` are the session's, as `name=value`. Raises TargetError, of the block's own driver errors too."""
    try:
        async with await AsyncConnection.connect(**_arguments(target, addresses, settings)) as connection:
            yield connection
    except psycopg.Error as error:
        text = one_line(target, str(error))
        hopeless = any(word in text for word in _HOPELESS) or (error.sqlstate or "").startswith(_FINAL_CODES)
        raise TargetError(text, final=hopeless) from None


def one_line(target: Target, text: str) -> str:
    return " ".join(target.without_password(text).split())[:MESSAGE_LENGTH]


def _arguments(target: Target, addresses: Sequence[str], settings: Sequence[str]) -> dict[str, Any]:
    # The addresses that were looked at are the ones to connect to; the name is what a certificate is held to.
    count = len(addresses)
    arguments: dict[str, Any] = {
        "autocommit": True,
        "host": ",".join([target.host] * count),
        "hostaddr": ",".join(addresses),
        "port": ",".join([str(target.port)] * count),
        "dbname": target.database,
        # Never None: libpq would take what this process is given for its own database.
        "user": target.username or "postgres",
        "password": target.password or "",
        "passfile": "/dev/null/none",
        "sslmode": target.ssl_mode,
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "application_name": "ogel-databases",
        "options": " ".join(f"-c {setting}" for setting in settings),
        "gssencmode": "disable",
    }
    if target.ssl_mode == "verify-full":
        arguments["sslrootcert"] = ssl.get_default_verify_paths().cafile or "system"
    return arguments
