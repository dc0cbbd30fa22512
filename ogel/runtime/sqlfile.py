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

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

_OUTSIDE = b"-- outside a transaction"
_STATEMENT_END = re.compile(rb"(?<=;)[ \t\r]*$", re.MULTILINE)
_CONCURRENT = re.compile(rb"\bCONCURRENTLY\b", re.IGNORECASE)
# A concurrent build waits for every transaction older than itself, and holds up no one meanwhile.
_PATIENTLY = "SET lock_timeout = '15min'"

Connection = AsyncConnection[Any]


class EndedItsTransaction(Exception):
    """The file holds a COMMIT or ROLLBACK of its own: what came before it cannot be taken back."""


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
        the file at which the statement that comes next begins. Raises what the driver does, and EndedItsTransaction.
        """
        if not self.is_outside_transaction:
            async with connection.transaction():
                begins(0)
                await connection.execute(self.sql)
                if connection.info.transaction_status is not TransactionStatus.INTRANS:
                    raise EndedItsTransaction
                await record()
            return
        for place, statement in self._statements():
            await connection.execute(_PATIENTLY if _CONCURRENT.search(statement) else "RESET lock_timeout")
            begins(place)
            await connection.execute(statement)
        await connection.execute("RESET lock_timeout")
        await record()
