"""A database as callers register and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ogel.kernel.text import STORABLE_PATTERN, pattern
from ogel.runtime.database.registered import DatabaseType, SslMode

# No underscore: a name is no id, and an id no name. `(?!\n)$`, because `$` alone would let a newline pass.
Name = Annotated[
    str,
    Meta(
        pattern=pattern(
            r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(?!\n)$",
            "a slug: a-z, 0-9 and dashes between them, 63 at most",
        ),
        description="A slug: `orders-eu`.",
    ),
]
Host = Annotated[
    str,
    Meta(
        # Letters beyond ASCII are allowed: `checked` encodes them.
        pattern=pattern(
            r"^([A-Za-z0-9:]|[^\x00-\x7F])"
            r"(([A-Za-z0-9._:-]|[^\x00-\x7F]){0,251}([A-Za-z0-9:.]|[^\x00-\x7F]))?(?!\n)$",
            "a host name or address",
        ),
        description="A host name or address, private ones too; not link-local, metadata or multicast addresses.",
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535)]
DatabaseName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        pattern=STORABLE_PATTERN,
        description="Of redis: the number, such as `0`.",
    ),
]
Username = Annotated[str, Meta(min_length=1, max_length=128, pattern=STORABLE_PATTERN)]
Password = Annotated[
    str, Meta(min_length=1, max_length=1024, pattern=STORABLE_PATTERN, description="Never shown again.")
]
Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=STORABLE_PATTERN,
        description="`postgresql://`, `mongodb://`, `redis://` or `rediss://`, in place of the fields for its parts.",
    ),
]
Labels = Annotated[
    dict[
        Annotated[
            str,
            Meta(
                pattern=pattern(
                    r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}(?!\n)$",
                    "63 letters, digits, ., _, / and - at most, of which the first is a letter or digit",
                )
            ),
        ],
        Annotated[str, Meta(max_length=200, pattern=STORABLE_PATTERN)],
    ],
    Meta(max_length=20),
]
State = Literal["unknown", "reachable", "unreachable"]

PARTS = ("host", "port", "database", "username", "password", "ssl_mode")


class NewDatabase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Either `url`, which names the type too, or `type` and `host` with what else differs from its defaults. `ssl_mode`
    is `prefer` for postgresql and `disable` for the others, where there is no `prefer`.
    """

    name: Name
    type: DatabaseType | None = None
    url: Url | None = None
    host: Host | None = None
    port: Port | None = None
    database: DatabaseName | None = None
    username: Username | None = None
    password: Password | None = None
    ssl_mode: SslMode | None = None
    labels: Labels = msgspec.field(default_factory=dict)


class DatabaseChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Fields that are left out stay as they are; `null` removes a user name or password. `url` replaces all parts. A
    stored password is not sent to another server: a new host, port or ssl_mode needs the password again.
    """

    name: Name | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    host: Host | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    database: DatabaseName | UnsetType = UNSET
    username: Username | UnsetType | None = UNSET
    password: Password | UnsetType | None = UNSET
    ssl_mode: SslMode | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET


class Check(Struct, frozen=True):
    """
    The result of the last check; `state` began at `since`. `failures` counts checks in a row that did not reach the
    database. `unknown`: it has not been checked since it was registered or changed.
    """

    state: State
    since: datetime | None = None
    checked_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    latency_seconds: float | None = None
    server_version: str | None = None


UNCHECKED = Check("unknown")


class RegisteredDatabase(Struct, frozen=True):
    """`password_hint` is all that is shown of the password: null without one, the last characters of a long one."""

    id: str
    name: str
    type: DatabaseType
    host: str
    port: int
    database: str
    username: str | None
    password_hint: str | None
    ssl_mode: SslMode
    auth_source: str | None
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    check: Check


class Stats(Struct, frozen=True):
    """
    As measured at `measured_at`; the content depends on the type. Statistics are kept during an outage. `error` says
    why some are missing.
    """

    database: str
    type: DatabaseType
    measured_at: datetime | None
    stats: dict[str, Any] | None
    error: str | None


def password_hint(password: str | None) -> str | None:
    if password is None:
        return None
    # The hint of a shorter one would reveal half of it.
    return f"****{password[-2:]}" if len(password) >= 16 else "****"


def password_purpose(database_id: str) -> str:
    return f"database-password:{database_id}"
