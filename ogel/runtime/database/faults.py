"""Classifies failures of the database: by SQLSTATE, and by the message of a server that refuses to connect."""

from __future__ import annotations

import psycopg

from ogel.kernel.errors import Unavailable


class DatabaseAway(Unavailable):
    """
    There is no connection, or it was lost. A repetition may succeed later; what was under way may have been committed.
    """

    @property
    def reason(self) -> str:
        """The driver's message, for the log."""
        return str(self.__cause__ or self).strip()


class NoAnswer(psycopg.OperationalError):
    """
    Raised in place of a driver's error: the connection was given up in the middle of something. If that was a commit,
    it may have succeeded.
    """


class DatabaseSilent(DatabaseAway):
    """The server hangs, or is too busy to answer in time. Whether the last statement was executed is unknown."""

    title = "Database does not answer"


class TookTooLong(DatabaseAway):
    """A statement reached its timeout, because the server is busy or the statement too large. It had no effect."""

    title = "Database timeout"


class DatabaseLocked(DatabaseAway):
    title = "Database lock timeout"


class DatabaseDiskFull(DatabaseAway):
    title = "Database disk full"


class DatabaseOutOfMemory(DatabaseAway):
    title = "Database out of memory"


class DatabaseOutOfConnections(DatabaseAway):
    title = "Too many database connections"


class DatabaseReadOnly(DatabaseAway):
    title = "Database is read-only"


class DatabaseStarting(DatabaseAway):
    title = "Database is starting"


# The caller's message, and after how many seconds to try again.
_SAID: dict[type[DatabaseAway], tuple[str, int]] = {
    DatabaseAway: ("The database did not answer.", 1),
    DatabaseSilent: (
        "The database has not answered in time. What you asked for may be done all the same: ask again with the same"
        " id or Idempotency-Key, and it is done once.",
        5,
    ),
    TookTooLong: ("The database took too long.", 1),
    DatabaseLocked: ("Others held for too long what this needed in the database.", 1),
    DatabaseDiskFull: ("The database's disk is full. Nothing is written until there is room.", 30),
    DatabaseOutOfMemory: ("The database is out of memory.", 5),
    DatabaseOutOfConnections: ("The database has no connection left for us.", 1),
    DatabaseReadOnly: ("The database takes no writes: it is a standby, or set to be read-only.", 5),
    DatabaseStarting: ("The database is starting or stopping.", 1),
}
_BY_SQLSTATE: dict[str, type[DatabaseAway]] = {
    "57014": TookTooLong,
    "55P03": DatabaseLocked,
    "53100": DatabaseDiskFull,
    "53200": DatabaseOutOfMemory,
    "53300": DatabaseOutOfConnections,
    "25006": DatabaseReadOnly,
    "57P01": DatabaseStarting,
    "57P02": DatabaseStarting,
    "57P03": DatabaseStarting,
}
# SQLSTATE classes and codes that are not the statement's fault: connection lost, server shutting down, out of memory or
# disk, idle for too long, or a conflict with others (deadlock, serialization failure). A repetition may succeed.
_AWAY = ("08", "57P", "53", "58", "25P03", "40")
# For refused connections libpq has no SQLSTATE, only the server's message; and PostgreSQL reports these two disk faults
# as internal errors and missing permissions.
_BY_WORDS: tuple[tuple[str, type[DatabaseAway]], ...] = (
    ("no space left on device", DatabaseDiskFull),
    ("disk quota exceeded", DatabaseDiskFull),
    ("read-only file system", DatabaseReadOnly),
    ("too many clients", DatabaseOutOfConnections),
    ("too many connections", DatabaseOutOfConnections),
    ("remaining connection slots", DatabaseOutOfConnections),
    ("no more connections allowed", DatabaseOutOfConnections),  # PgBouncer
    ("max client connections reached", DatabaseOutOfConnections),  # Supavisor
    ("max clients reached", DatabaseOutOfConnections),
    ("starting up", DatabaseStarting),
    ("shutting down", DatabaseStarting),
    ("in recovery mode", DatabaseStarting),
    ("not yet accepting connections", DatabaseStarting),
    ("not accepting connections", DatabaseStarting),
)


def fault_of(error: psycopg.Error) -> DatabaseAway | None:
    """Returns the exception to raise from `error`; None when the statement itself is at fault and would fail again."""
    found = _kind_of(error)
    return None if found is None else told(found)


def told(kind: type[DatabaseAway]) -> DatabaseAway:
    message, seconds = _SAID[kind]
    return kind(message, retry_after_seconds=seconds)


def _kind_of(error: psycopg.Error) -> type[DatabaseAway] | None:
    if isinstance(error, NoAnswer):
        return DatabaseSilent
    if (found := _BY_SQLSTATE.get(error.sqlstate or "")) is not None:
        return found
    away = (error.sqlstate or "").startswith(_AWAY) or _is_lost(error)
    if away or isinstance(error, psycopg.OperationalError | psycopg.InternalError | psycopg.ProgrammingError):
        words = str(error).lower()
        if (found := next((kind for part, kind in _BY_WORDS if part in words), None)) is not None:
            return found
    return DatabaseAway if away else None


def _is_lost(error: psycopg.Error) -> bool:
    return error.sqlstate is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
