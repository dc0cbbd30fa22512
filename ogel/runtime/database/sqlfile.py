"""
A migration file and how it is applied: to Ogel's own database, and to those that are registered with it.

Each is one transaction, save a file that begins with `-- outside a transaction`, for CREATE INDEX CONCURRENTLY and the
like. Of such a file every line that ends in a semicolon ends a statement, and every statement must be safe to repeat:
broken off, the file is begun again. A concurrent build that was broken off leaves an invalid index, so drop it first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus

_OUTSIDE = b"-- outside a transaction"
_STATEMENT_END = re.compile(rb"(?<=;)[ \t\r]*$", re.MULTILINE)
_CONCURRENT = re.compile(rb"\bCONCURRENTLY\b", re.IGNORECASE)
# A concurrent build waits for every transaction older than itself, and holds up no one meanwhile.
_PATIENTLY = "SET lock_timeout = '15min'"

# It goes with the transaction, and needs no snapshot: a file may still choose its isolation level.
_MARK, _MARKED = (
    "SET LOCAL ogel.file = 'under way'",
    "SELECT current_setting('ogel.file', true) = 'under way'",
)

Connection = AsyncConnection[Any]


class OwnTransaction(Exception):
    """The file ends the transaction that it is, or leaves one open that it is not. Its text is for who wrote it."""


@dataclass(frozen=True, slots=True)
class SqlFile:
    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()

    @property
    def is_outside_transaction(self) -> bool:
        return self.sql.startswith(_OUTSIDE)

    @property
    def breaks_off(self) -> bool:
        """Outside a transaction, its end is no statement: nobody would run it."""
        rest = _STATEMENT_END.split(self.sql)[-1]
        return self.is_outside_transaction and any(
            line.strip() and not line.strip().startswith(b"--") for line in rest.splitlines()
        )

    def _statements(self) -> Iterator[tuple[int, bytes]]:
        """Each with the byte it begins at."""
        begin = 0
        for end in [match.start() for match in _STATEMENT_END.finditer(self.sql)]:
            part = self.sql[begin:end]
            statement = part.strip()
            if statement.endswith(b";"):
                yield begin + len(part) - len(part.lstrip()), statement
            begin = end

    async def apply(
        self,
        connection: Connection,
        record: Callable[[], Awaitable[None]],
        begins: Callable[[int], None] = lambda byte: None,
    ) -> None:
        """
        `record` writes that it is applied, in the same transaction where there is one. `begins` is told the byte of
        the file at which the statement that comes next begins. Raises what the driver does, and OwnTransaction.
        """
        if not self.is_outside_transaction:
            async with connection.transaction():
                await connection.execute(_MARK)
                begins(0)
                if await _ended_in(connection, await connection.execute(self.sql)):
                    raise OwnTransaction(
                        "the file ends its own transaction: take COMMIT and ROLLBACK out of it, and look at what it"
                        " changed"
                    )
                await record()
            return
        for place, statement in self._statements():
            await connection.execute(_PATIENTLY if _CONCURRENT.search(statement) else "RESET lock_timeout")
            begins(place)
            await connection.execute(statement)
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            raise OwnTransaction("the file leaves a transaction open: what follows its BEGIN is taken back")
        await connection.execute("RESET lock_timeout")
        await record()


async def _ended_in(connection: Connection, cursor: AsyncCursor[Any]) -> bool:
    """
    Whether the transaction did. Another one may be under way by now, so it is for the server to say: by the command tag
    of each statement, and, since `ROLLBACK` is also that of a return to a savepoint, by the mark.
    """
    tags = {cursor.statusmessage}
    while cursor.nextset():
        tags.add(cursor.statusmessage)
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        return True
    if tags & {"COMMIT", "PREPARE TRANSACTION"}:
        return True
    return "ROLLBACK" in tags and await (await connection.execute(_MARKED)).fetchone() != (True,)
