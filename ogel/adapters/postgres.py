"""Postgres: the connection pool, and waiting for the server at start."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from ogel.kernel.errors import ConfigError
from ogel.runtime.database.faults import NoAnswer
from ogel.runtime.database.patience import seconds_left
from ogel.runtime.database.schemas import SEARCH_PATH, leads_to_tables

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

# Nothing Ogel asks is slow: a statement that takes this long is stuck. Every query has its index, and rows that are
# read are in memory or on flash: without the last two, the planner now and then prefers to read a whole table.
_SESSION_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "statement_timeout=30s",
        "lock_timeout=3s",
        "idle_in_transaction_session_timeout=60s",
        # A client that gives up disconnects, and its query should then be cancelled.
        "client_connection_check_interval=2s",
        "random_page_cost=1.1",
        "jit=off",
        f"search_path={SEARCH_PATH}",
    )
)


# For claims, which step down an index that has their order. A plan is kept, and one that was made while few jobs waited
# would go on to read, gather and sort all that wait, at each step.
IN_ORDER_OF_INDEXES = " -c enable_sort=off -c enable_bitmapscan=off -c enable_seqscan=off"


# libpq has no SQLSTATE for a refused connection, only the server's message.
_HOPELESS = ("password authentication failed", "no password supplied", "does not exist")


# A proxy between us and the server dropped our options. We could work without limits, but not without our schema.
_POOLER = (
    "DATABASE_URL leads to a pooler that leaves out what connections ask for (options, search_path): set"
    f" DATABASE_UNPOOLED_URL to the server itself, or ALTER ROLE … SET search_path = {SEARCH_PATH}, public"
)


# A server that answers hears at once that a statement is to be cancelled.
_CANCEL_SECONDS = 1.0


class PoolOptions(msgspec.Struct, frozen=True):
    minimum: int
    maximum: int
    idle_seconds: float
    timeout_seconds: float
    keepalive_seconds: int
    session_options: str = ""


def connection_arguments(url: str, keepalive_seconds: int = 10, session_options: str = "") -> dict[str, Any]:
    """Beside the URL: what it says itself it says with better reason, and the `options` of both count, ours last."""
    given = conninfo_to_dict(url)
    ours = {
        "autocommit": True,
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": keepalive_seconds,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "application_name": "ogel",
        "options": f"{given.pop('options', '')} {_SESSION_OPTIONS}{session_options}".strip(),
    }
    return {name: value for name, value in ours.items() if name not in given}


def make_pool(url: str, options: PoolOptions) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Returns a closed pool; the caller opens and closes it."""
    return AsyncConnectionPool(
        url,
        min_size=options.minimum,
        max_size=options.maximum,
        max_idle=options.idle_seconds,
        timeout=options.timeout_seconds,
        max_waiting=1000,
        # Then it is for who asks next to try, at once: one that is back is not left alone until a long pause is over.
        reconnect_timeout=5.0,
        kwargs=connection_arguments(url, options.keepalive_seconds, options.session_options),
        configure=_configure,
        connection_class=type("Connection", (_Connection,), {}),  # one per pool, each with its own refusal
        open=False,
    )


class _Connection(AsyncConnection[Any]):
    """`refusal`: why the last one could not be made; None: it was."""

    refusal: ClassVar[psycopg.OperationalError | None] = None

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        try:
            made = await super().connect(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            cls.refusal = error
            raise
        cls.refusal = None
        return made

    async def wait(self, gen: PQGen[Answer], *how: Any, **more: Any) -> Answer:
        """Raises NoAnswer when the server has kept silent for too long; the connection is lost with it."""
        seconds, silent = seconds_left(), False

        def hang_up() -> None:
            nonlocal silent
            silent = True
            self._cut()

        timer = asyncio.get_running_loop().call_later(seconds, hang_up)
        try:
            return await super().wait(gen, *how, **more)
        except psycopg.OperationalError as error:
            if silent:
                raise NoAnswer(f"no answer within {seconds:.3g} seconds") from error
            raise
        finally:
            timer.cancel()

    async def cancel_safe(self, *, timeout: float = _CANCEL_SECONDS) -> None:  # noqa: ASYNC109 - psycopg's own
        """Implements psycopg's cancellation for a caller that gives up in the middle of a statement."""
        await super().cancel_safe(timeout=min(timeout, _CANCEL_SECONDS))

    def _cut(self) -> None:
        """
        Cuts the connection: libpq then cleans up as for a lost server, at any point of an exchange. Cancelling the
        statement would need a server that answers.
        """
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def name_connections(pool: AsyncConnectionPool[AsyncConnection[Any]], name: str) -> None:
    """Before it is opened: whose they are in pg_stat_activity. `ogel` comes first, by which we know our own."""
    assert isinstance(pool.kwargs, dict)
    pool.kwargs["application_name"] = f"ogel {name}"


async def _configure(connection: AsyncConnection[Any]) -> None:
    # json columns are read on the hot path; msgspec decodes them several times faster than the standard library.
    set_json_loads(msgspec.json.decode, connection)


async def wait_for_postgres(url: str, seconds: float) -> None:
    """
    Returns once Postgres answers; retries refusals, unknown names and start-up states. Raises ConfigError with the
    last reason, at once for one that time does not mend: a wrong password or database.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    pause = 0.05
    said = False
    while True:
        try:
            async with await _Connection.connect(url, **connection_arguments(url)) as connection:
                path = await (await connection.execute("SHOW search_path")).fetchone()
            if path is None or not leads_to_tables(path[0]):
                raise ConfigError(_POOLER)
            return
        except psycopg.OperationalError as error:
            hopeless = any(word in str(error) for word in _HOPELESS)
            if hopeless or asyncio.get_running_loop().time() + pause > deadline:
                reason = str(error).strip().splitlines()[0]
                raise ConfigError(f"DATABASE_URL: {reason}") from error
            if not said:
                log.info("postgres.waiting", error=str(error).strip(), seconds=seconds)
                said = True
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)
