"""What Postgres itself says of its statements, where pg_stat_statements is on: means, beside our own quantile."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Identifier

from ogel.runtime.database.database import Database, Queries, Transaction

_SQL = Queries.beside(__name__)
# Without the texts, which are in a file.
_STATEMENTS = SQL(
    "SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_exec_time) / nullif(sum(calls), 0), 0)::float8,"
    " coalesce(sum(calls) FILTER (WHERE mean_exec_time > %(milliseconds)s), 0)::bigint"
    " FROM {}.pg_stat_statements(false)"
    " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def told_by_postgres(database: Database, target_seconds: float) -> str | None:
    """A line for people; None: the extension is not there."""
    async with database.autocommit() as tx:
        schema: str | None = await tx.value(_SQL.statements_schema)
        if schema is None:
            return None
        try:
            return await _told(tx, schema, target_seconds * 1000)
        except psycopg.Error as error:  # it is not loaded, or not ours to read
            reason = error.diag.message_primary or type(error).__name__
            return f"pg_stat_statements tells nothing: {reason}"


async def _told(tx: Transaction, schema: str, milliseconds: float) -> str:
    query = _STATEMENTS.format(Identifier(schema)).as_bytes()
    [(calls, mean, slow)] = await tx.tuples(query, {"milliseconds": milliseconds})
    return (
        f"in Postgres, {calls} calls took {mean:.3g} ms on average, and {slow} were of statements that take longer"
        f" than {milliseconds:g} ms on average (pg_stat_statements, since it was reset)"
    )
