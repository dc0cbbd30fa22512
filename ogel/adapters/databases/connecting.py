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
# Messages of the server, since libpq has no SQLSTATE for a refused connection. Messages in other languages are not
# recognised, and the connection is tried again.
_HOPELESS = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "server does not support SSL",
    "certificate verify failed",
)
# SQLSTATEs of errors that a repetition would not change: missing objects, missing permission, unsupported features.
_FINAL_CODES = ("0A", "25006", "28", "3D", "3F", "42")


@asynccontextmanager
async def connected(
    target: Target, addresses: Sequence[str], settings: Sequence[str]
) -> AsyncIterator[AsyncConnection[Any]]:
    """
    Connects for the block. `settings` are those of the session, as `name=value`. Raises TargetError, also for driver
    errors in the block.
    """
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
    # Connects to the addresses that were checked; the certificate is verified against the name.
    count = len(addresses)
    arguments: dict[str, Any] = {
        "autocommit": True,
        "host": ",".join([target.host] * count),
        "hostaddr": ",".join(addresses),
        "port": ",".join([str(target.port)] * count),
        "dbname": target.database,
        # Never None, because libpq would then use the password meant for this process's own database.
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
