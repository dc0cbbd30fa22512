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
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus

_OUTSIDE = b"-- outside a transaction"
_STATEMENT_END = re.compile(rb"(?<=;)[ \t\r]*$", re.MULTILINE)
_CONCURRENT = re.compile(rb"\bCONCURRENTLY\b", re.IGNORECASE)
# A concurrent build waits for every older transaction, and blocks nobody meanwhile.
_PATIENTLY = "SET lock_timeout = '15min'"

# A mark that ends with the transaction. Setting it takes no snapshot, so a file may still choose its isolation level.
_MARK, _MARKED = (
    "SET LOCAL ogel.file = 'under way'",
    "SELECT current_setting('ogel.file', true) = 'under way'",
)

Connection = AsyncConnection[Any]


class OwnTransaction(Exception):
    """The file ends the transaction it runs in, or leaves one open that it began. The message is for its author."""


class SqlFile(Struct, frozen=True):
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
        """
        Whether a file that runs outside a transaction ends in the middle of a statement, which would never be run.
        """
        rest = _STATEMENT_END.split(self.sql)[-1]
        return self.is_outside_transaction and any(
            line.strip() and not line.strip().startswith(b"--") for line in rest.splitlines()
        )

    def _statements(self) -> Iterator[tuple[int, bytes]]:
        """Splits the file into statements, each with the byte offset where it begins."""
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
        Applies a file. `record` logs it, in the same transaction where there is one. `begins` is called with the byte
        offset of each statement. Raises the driver's errors, and OwnTransaction.
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
    Whether the transaction has ended, even if another one has begun. The server tells: by the command tag of each
    statement and, since `ROLLBACK TO` a savepoint has the same tag as `ROLLBACK`, by the mark.
    """
    tags = {cursor.statusmessage}
    while cursor.nextset():
        tags.add(cursor.statusmessage)
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        return True
    if tags & {"COMMIT", "PREPARE TRANSACTION"}:
        return True
    return "ROLLBACK" in tags and await (await connection.execute(_MARKED)).fetchone() != (True,)
