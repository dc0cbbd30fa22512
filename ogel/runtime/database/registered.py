"""
Databases that are registered with Ogel: what features may ask of them, and what can come back.

Every call is bounded in time, holds one connection for as long as it takes, and keeps none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from ogel.runtime.database.sqlfile import SqlFile
from ogel.runtime.secrets.scrub import Scrubber

DatabaseType = Literal["postgresql", "mongodb", "redis"]
SslMode = Literal["disable", "prefer", "require", "verify-full"]


class Target(Struct, frozen=True):
    """A database's address and our credentials for it. Its `repr` shows no password."""

    type: DatabaseType
    host: str
    port: int
    database: str
    username: str | None
    password: str | None
    ssl_mode: SslMode
    auth_source: str | None = None

    def __repr__(self) -> str:
        return f"<{self.type} {self.host}:{self.port}/{self.database}>"

    def without_password(self, text: str) -> str:
        """Removes the password from the message of a server or driver."""
        return Scrubber([self.password])(text)


class HostRefused(Exception):
    """The host is, or resolves to, an address where no database can be: link-local, metadata, multicast."""


class TargetError(Exception):
    """
    A database that could not be asked, or did not answer. `message` is for whoever registered it, on one line, and
    holds no secret.

    final  another try would end the same: a wrong password, a database that does not exist, a refused host.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.final = final


class SqlError(Exception):
    """
    A statement of a migration failed, and would fail again. `line` and `position` count from 1 in the file; None where
    the server names no place.
    """

    def __init__(
        self, message: str, sqlstate: str | None = None, line: int | None = None, position: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.line = line
        self.position = position


class Seen(Struct, frozen=True):
    """
    Statistics of a database that answered. `latency_seconds` is one round trip on an open connection; `stats_error`
    says why statistics that were asked for are missing.
    """

    latency_seconds: float
    server_version: str
    stats: dict[str, Any]
    stats_error: str | None


class Applied(Struct, frozen=True):
    """A row of the migration log that a database keeps of itself."""

    name: str
    checksum: str


Catalog = Literal["schemas", "tables", "columns", "indexes", "extensions"]
# Returns the next migration; called before each. None: no more.
NextFile = Callable[[Sequence[Applied]], Awaitable[SqlFile | None]]


class ExternalDatabases(Protocol):
    def check_host(self, host: str) -> None:
        """Checks a host without looking its name up. Raises HostRefused."""

    async def look(self, target: Target) -> Seen:
        """Connects and measures. Raises TargetError."""

    async def catalog(
        self, target: Target, what: Catalog, filters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """
        Reads the catalog of a postgresql database, read-only; `filters` are the parameters of its query. Raises
        TargetError.
        """

    async def applied(self, target: Target) -> Sequence[Applied]:
        """Returns applied migrations in the order of their names. Raises TargetError."""

    async def migrate(self, target: Target, next_file: NextFile) -> None:
        """
        Applies what `next_file` returns until it returns None, and logs each migration with it. Only one run per
        database at a time, in any process. Raises TargetError (also while another run is under way) and SqlError.
        """
