"""Where a database is, out of what a caller sent: its parts, or a URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Struct

from ogel.features.databases.registry.database import (
    PARTS,
    DatabaseName,
    Host,
    NewDatabase,
    Password,
    Port,
    Username,
)
from ogel.kernel.errors import Invalid
from ogel.runtime.databases import DatabaseType, SslMode
from ogel.runtime.domain import InvalidDomain, ascii_domain

_TYPES: dict[str, DatabaseType] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mongodb": "mongodb",
    "redis": "redis",
    "rediss": "redis",
}
_PORTS: dict[DatabaseType, int] = {"postgresql": 5432, "mongodb": 27017, "redis": 6379}
_DATABASES: dict[DatabaseType, str] = {"postgresql": "postgres", "mongodb": "admin", "redis": "0"}
_TAKES = "takes postgresql://, mongodb://, redis:// or rediss:// with [user:password@]host[:port][/database]"
_MOST_REDIS_DATABASES = 10_000


class Address(Struct, frozen=True):
    type: DatabaseType
    host: Host
    port: Port
    database: DatabaseName
    username: Username | None
    password: Password | None
    ssl_mode: SslMode
    auth_source: DatabaseName | None = None


def address_of(new: NewDatabase) -> Address:
    """Raises Invalid."""
    if new.url is not None:
        for name in PARTS:
            if getattr(new, name) is not None:
                raise Invalid.field(f"body.{name}", "is part of body.url already; send one or the other")
        address = read_url(new.url)
        if new.type not in (None, address.type):
            raise Invalid.field("body.type", f"is not what body.url says: {address.type}")
        return address
    if new.type is None:
        raise Invalid.field("body.type", "is missing; it takes postgresql, mongodb or redis")
    if new.host is None:
        raise Invalid.field("body.host", "is missing; send it, or body.url")
    return checked(
        Address(
            new.type,
            new.host,
            new.port or _PORTS[new.type],
            new.database or _DATABASES[new.type],
            new.username,
            new.password,
            new.ssl_mode or default_ssl_mode(new.type),
        )
    )


def default_ssl_mode(type: DatabaseType) -> SslMode:
    return "prefer" if type == "postgresql" else "disable"


def checked(address: Address) -> Address:
    """What no single field tells, with the host in ASCII. Raises Invalid."""
    if address.type == "redis":
        number = address.database
        if not (number.isascii() and number.isdigit() and int(number) < _MOST_REDIS_DATABASES):
            raise Invalid.field("body.database", "takes the number of a redis database, such as 0")
    if address.type != "postgresql" and address.ssl_mode == "prefer":
        raise Invalid.field("body.ssl_mode", f"takes disable, require or verify-full for {address.type}")
    if address.type == "mongodb":
        if any(character in address.database for character in '/\\. "$'):
            raise Invalid.field("body.database", "holds a character that no mongodb database's name has")
        if address.password is not None and address.username is None:
            raise Invalid.field("body.username", "is missing; mongodb takes no password without one")
    return msgspec.structs.replace(address, host=_ascii_host(address.host))


def _ascii_host(host: str) -> str:
    try:
        return host if host.isascii() else ascii_domain(host)
    except InvalidDomain as error:
        raise Invalid.field("body.host", str(error)) from None


def read_url(url: str) -> Address:
    """Raises Invalid, without quoting the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        type, port = _TYPES[parts.scheme], parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except (ValueError, KeyError):
        raise Invalid.field("body.url", _TAKES) from None
    if parts.fragment:
        raise Invalid.field("body.url", "has a #; in a user name or password it is written %23")
    values: dict[str, Any] = {
        "type": type,
        "host": _host_of(parts),
        "port": port or _PORTS[type],
        "database": unquote(parts.path.lstrip("/")) or _DATABASES[type],
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "ssl_mode": _ssl_mode(type, parts.scheme, options),
        "auth_source": _auth_source(type, unquote(parts.path.lstrip("/")), options),
    }
    if options:
        raise Invalid.field("body.url", f"has the option {sorted(options)[0]!r}, which is not known here")
    try:
        address = msgspec.convert(values, Address)
        return checked(address)
    except msgspec.ValidationError as error:
        part = str(error).rpartition("`$.")[2].rstrip("`")
        raise Invalid.field("body.url", f"its {part} cannot be used; it {_TAKES}") from None
    except Invalid as error:
        [wrong] = error.errors
        part = wrong.path.removeprefix("body.")
        raise Invalid.field("body.url", f"its {part} {wrong.message}") from None


def _host_of(parts: SplitResult) -> str | None:
    """`hostname` is lower case as Python has it, which is not how domains have it: of Σ it makes ς at the end."""
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    return parts.hostname if host.isascii() else host


def _ssl_mode(type: DatabaseType, scheme: str, options: dict[str, str]) -> Any:
    """Takes what it knows out of the options."""
    if type == "postgresql":
        return options.pop("sslmode", default_ssl_mode(type))
    if type == "mongodb":
        tls = options.pop("tls", options.pop("ssl", "false"))
        if tls not in ("true", "false"):
            raise Invalid.field("body.url", "its tls takes true or false")
        return "verify-full" if tls == "true" else "disable"
    return "verify-full" if scheme == "rediss" else "disable"


def _auth_source(type: DatabaseType, database: str, options: dict[str, str]) -> str | None:
    """As a MongoDB URL defines it: the database it names, unless it says otherwise."""
    return options.pop("authSource", database or None) if type == "mongodb" else None
