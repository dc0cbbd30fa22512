"""PostgreSQL as features use it: named queries, transactions, and rings of the bell that wait for the commit."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import resources
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from ogel.kernel.principal import Principal
from ogel.runtime.database import acting
from ogel.runtime.database.faults import DatabaseAway, NoAnswer, TookTooLong, fault_of, told
from ogel.runtime.database.patience import seconds_left

__all__ = ["Database", "DatabaseAway", "Queries", "TookTooLong", "Transaction", "records"]

Row = TypeVar("Row")
Parameters = Mapping[str, Any]
Piece = bytes | bytearray | memoryview
Ring = Callable[[set[str]], None]
Took = Callable[[float], None]

_HEADING = re.compile(rb"^-- (\w+) --$", re.MULTILINE)


class Queries:
    """The named queries of a `.sql` file; each starts with a line `-- name --`."""

    def __init__(self, blocks: Mapping[str, bytes]) -> None:
        self._blocks = blocks

    @classmethod
    def beside(cls, module: str, **shared: bytes) -> Queries:
        """
        Loads `queries.sql` from the package of `module` (pass `__name__`). `{name}` in a query is replaced by
        `shared[name]`, which is what another feature's contract lets others read of its tables.
        """
        package = module.rpartition(".")[0]
        text = resources.files(package).joinpath("queries.sql").read_bytes()
        for name, relation in shared.items():
            text = text.replace(b"{%b}" % name.encode(), relation)
        parts = _HEADING.split(text)
        return cls({name.decode(): sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)})

    def __getattr__(self, name: str) -> bytes:
        try:
            return self._blocks[name]
        except KeyError:
            raise AttributeError(f"queries.sql has no block {name!r}") from None


class Transaction:
    """A connection during an `async with` block: in a transaction, or in autocommit."""

    def __init__(self, connection: AsyncConnection[Any], took: Took) -> None:
        self._connection = connection
        self._took = took
        self._rings: set[str] = set()
        self._endings: list[Callable[[bool], None]] = []
        self._acting = False

    def as_one(self) -> AbstractAsyncContextManager[object]:
        """Runs the block in a transaction."""
        return self._connection.transaction()

    @asynccontextmanager
    async def acting_as(self, principal: Principal, path: str = acting.OF_USERS) -> AsyncIterator[None]:
        """
        Runs the statements of the block as the principal's role and under its claims, in the schemas of `path`, so that
        row-level security decides what they read and write; outside the block the transaction is Ogel's own again.
        Statements must be ours: SQL that a principal sends could reset the role. Raises Forbidden for one that reads no
        rows, Unavailable where the database lacks its role.
        """
        if self._acting or self._status is not TransactionStatus.INTRANS:
            # Outside a transaction it would last no longer than the statement that says so.
            raise RuntimeError("a principal is acted for in a transaction, and one at a time")
        self._acting = True
        try:
            await acting.begin(self._connection, principal, path)
            yield
        finally:
            self._acting = False
            # After an error of a statement nothing can be said before a rollback, which takes the role back, too.
            if self._status is TransactionStatus.INTRANS:
                await acting.end(self._connection)

    @property
    def _status(self) -> TransactionStatus:
        return self._connection.info.transaction_status

    def ring(self, queue: str) -> None:
        """Wakes the workers of `queue` once the block has ended; never if it is rolled back."""
        self._rings.add(queue)

    @property
    def rings(self) -> set[str]:
        return self._rings

    def at_end(self, ending: Callable[[bool], None]) -> None:
        """
        Registers a function to be called once when the block has ended, with whether the commit is known to have
        succeeded.
        """
        self._endings.append(ending)

    def ended(self, committed: bool) -> None:
        for ending in self._endings:
            ending(committed)

    async def execute(self, query: bytes, parameters: Parameters | None = None) -> int:
        """Executes a statement. Returns the number of affected rows."""
        return (await self._ask(self._connection, query, parameters)).rowcount

    async def all(self, query: bytes, parameters: Parameters | None, row: type[Row]) -> list[Row]:
        async with self._connection.cursor(row_factory=class_row(row)) as cursor:
            return await (await self._ask(cursor, query, parameters)).fetchall()

    async def one(self, query: bytes, parameters: Parameters | None, row: type[Row]) -> Row | None:
        async with self._connection.cursor(row_factory=class_row(row)) as cursor:
            return await (await self._ask(cursor, query, parameters)).fetchone()

    async def tuples(self, query: bytes, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        cursor: AsyncCursor[tuple[Any, ...]] = await self._ask(self._connection, query, parameters)
        return await cursor.fetchall()

    async def dicts(self, query: bytes, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            return await (await self._ask(cursor, query, parameters)).fetchall()

    async def value(self, query: bytes, parameters: Parameters | None = None) -> Any:
        """Returns the first column of the first row; None without a row."""
        found = await (await self._ask(self._connection, query, parameters)).fetchone()
        return found[0] if found else None

    @asynccontextmanager
    async def copy_out(self, query: bytes) -> AsyncIterator[AsyncIterator[Piece]]:
        """Runs `COPY … TO STDOUT` in text format. Yields pieces as the server sends them, each of one or more rows."""
        async with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            yield aiter(copy)

    async def copy_in(self, query: bytes, content: AsyncIterable[bytes]) -> int:
        """Runs `COPY … FROM STDIN` with pieces of any size. Returns how many rows were written."""
        async with self._connection.cursor() as cursor:
            async with cursor.copy(query) as copy:
                async for piece in content:
                    await copy.write(piece)
            return cursor.rowcount

    async def _ask(
        self, through: AsyncConnection[Any] | AsyncCursor[Any], query: bytes, parameters: Parameters | None
    ) -> AsyncCursor[Any]:
        """Executes a statement; one that fails, or is given up, took its time, too."""
        began = time.perf_counter()
        try:
            return await through.execute(query, parameters)
        finally:
            self._took(time.perf_counter() - began)


class _Lent:
    """
    A pool's connection for one block. It is written as a class, because the pool's own context manager and one of ours
    around it would run three generators for every statement. Transactions left open are rolled back by the pool.
    """

    __slots__ = ("_away_by_name", "_connection", "_pool", "_ring", "_session", "_took")

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        away_by_name: Callable[[BaseException], Awaitable[DatabaseAway | None]],
        ring: Ring,
        took: Took,
    ) -> None:
        self._pool = pool
        self._away_by_name = away_by_name
        self._ring = ring
        self._took = took

    async def __aenter__(self) -> Transaction:
        try:
            self._connection = await self._pool.getconn(min(seconds_left(), self._pool.timeout))
        except psycopg.Error as error:
            if (away := await self._away_by_name(error)) is None:
                raise
            raise away from error
        self._session = Transaction(self._connection, self._took)
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session.ended(error is None)
        finally:
            await self._pool.putconn(self._connection)
        if error is None:
            if self._session.rings:
                self._ring(self._session.rings)
        elif (away := await self._away_by_name(error)) is not None:
            raise away from error


class Database:
    """A pool of autocommit connections. After each commit that wrote jobs, `ring` is called with the queues to wake."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], ring: Ring) -> None:
        self._pool = pool
        self._ring = ring
        self._excuse: Callable[[], DatabaseAway | None] = lambda: None
        self._took: Took = _unheard

    def excuse(self, excuse: Callable[[], DatabaseAway | None]) -> None:
        """
        Sets a function that may explain why the server is away, known to the part of the process that runs the server.
        """
        self._excuse = excuse

    def timed_by(self, took: Took) -> None:
        """Sets a function that is told how long each statement took, in seconds, from sending it to its answer."""
        self._took = took

    def autocommit(self) -> AbstractAsyncContextManager[Transaction]:
        """Lends a connection in autocommit, for single statements that need no transaction. Rings at the end."""
        return _Lent(self._pool, self._away_by_name, self._ring, self._took)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """
        Commits at the end of the block, or rolls back on any exception; after a commit it rings the queues that were
        asked for.
        """
        async with self.autocommit() as tx, tx.as_one():
            yield tx

    async def _away_by_name(self, error: BaseException) -> DatabaseAway | None:
        """Translates the driver's errors. Returns None for an error of the statement itself."""
        if isinstance(error, PoolTimeout | PoolClosed):
            return self._excuse() or self._refused() or told(DatabaseAway)
        if not isinstance(error, psycopg.Error) or (fault := fault_of(error)) is None:
            return None
        if isinstance(error, NoAnswer):
            # The other connections would not answer either, and the next statements would wait as long on them.
            await self._pool.drain()
        return (self._excuse() if type(fault) is DatabaseAway else None) or fault

    def _refused(self) -> DatabaseAway | None:
        """Returns why the pool could not make its last connection. The pool itself only says that it has none."""
        refusal = getattr(self._pool.connection_class, "refusal", None)
        return None if refusal is None else fault_of(refusal)

    def pool_stats(self) -> Mapping[str, int]:
        return self._pool.get_stats()


def _unheard(seconds: float) -> None:
    pass


def records(rows: Sequence[object]) -> str:
    """Encodes structs, dataclasses or dicts as the JSON that `json_to_recordset(%(rows)s::json)` takes."""
    return msgspec.json.encode(rows).decode()
