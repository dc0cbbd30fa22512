"""Why a database does not do what it was asked: by SQLSTATE, and by the words of a server that refuses to connect."""

from __future__ import annotations

import psycopg

from ogel.kernel.errors import Unavailable


class DatabaseAway(Unavailable):
    """No connection, or one that was lost: the same may succeed later. What was under way may have been committed."""

    @property
    def reason(self) -> str:
        """The driver's words, for the log."""
        return str(self.__cause__ or self).strip()


class NoAnswer(psycopg.OperationalError):
    """Of the driver: the connection was given up in the middle of something. Who asked for a commit may have got it."""


class DatabaseSilent(DatabaseAway):
    """It hangs, or is busier than anybody has patience. Whether what it was asked last was done is not known."""

    title = "Database does not answer"


class TookTooLong(DatabaseAway):
    """A statement's time was over: the server is busy, or it was asked for too much at once. It did nothing."""

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


# What the caller is told, and after how many seconds to try again.
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
# SQLSTATE classes and codes that say nothing about what was asked: connection lost, server shutting down, no memory or
# disk left, idle for too long; or that others were in its way: a deadlock, a conflict. Whoever may try again should.
_AWAY = ("08", "57P", "53", "58", "25P03", "40")
# Of connections that were refused libpq tells no SQLSTATE, only the server's words; and PostgreSQL files these two
# faults of a disk under internal errors and missing permissions.
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
    """To be raised from `error`. None: it is about what was asked, and would come again."""
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
