"""Parses the address of a database from a request: from its parts, or from a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog
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
from ogel.runtime.database.registered import DatabaseType, SslMode
from ogel.runtime.domain import InvalidDomain, ascii_domain
from ogel.runtime.server_urls import mongo, postgres, redis
from ogel.runtime.server_urls.parts import BadUrl, ServerUrl, decoded, names

log = structlog.get_logger(__name__)

_TYPES: dict[str, DatabaseType] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mongodb": "mongodb",
    "redis": "redis",
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
}
_PORTS: dict[DatabaseType, int] = {"postgresql": 5432, "mongodb": 27017, "redis": 6379}
_DATABASES: dict[DatabaseType, str] = {"postgresql": "postgres", "mongodb": "admin", "redis": "0"}
_TAKES = "takes postgresql://, mongodb://, redis:// or rediss:// with [user:password@]host[:port][/database]"
# Ogel says these itself to every database; `channel_binding` cannot be stored.
_OURS_IN_POSTGRESQL = frozenset(
    names(
        "application_name fallback_application_name client_encoding connect_timeout keepalives",
        "keepalives_idle keepalives_interval keepalives_count tcp_user_timeout channel_binding",
    )
)
_MOST_REDIS_DATABASES = 10_000


class DatabaseAddress(Struct, frozen=True):
    type: DatabaseType
    host: Host
    port: Port
    database: DatabaseName
    username: Username | None
    password: Password | None
    ssl_mode: SslMode
    auth_source: DatabaseName | None = None


def address_of(new: NewDatabase) -> DatabaseAddress:
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
        DatabaseAddress(
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


def checked(address: DatabaseAddress) -> DatabaseAddress:
    """Checks rules that involve several fields, and encodes the host in ASCII. Raises Invalid."""
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


def read_url(text: str) -> DatabaseAddress:
    """
    Raises Invalid, without quoting the URL, because it may contain a password. Options without a meaning here are left
    out and logged.
    """
    try:
        url = ServerUrl.parse(text, free=mongo.FREE)
        scheme = url.scheme.partition("+")[0] if url.scheme.startswith("postgres") else url.scheme
        type = _TYPES[scheme]
        [(host, port)] = url.places
    except BadUrl as error:
        raise Invalid.field("body.url", f"cannot be used: {error}; it {_TAKES}") from None
    except (ValueError, KeyError):
        raise Invalid.field("body.url", _TAKES) from None
    options = {name: unquote(value) for name, value in url.options}
    path = unquote(url.path.strip("/"))
    number = options.pop("db", None) if type == "redis" else None
    values: dict[str, Any] = {
        "type": type,
        "host": host.lower() or None,
        "port": port or _PORTS[type],
        "database": number or path or _DATABASES[type],
        "username": decoded(url.user) or None,
        "password": decoded(url.password) or None,
        "ssl_mode": _ssl_mode(type, scheme, options),
        "auth_source": _auth_source(type, path, options),
    }
    _leave_out(type, options)
    try:
        address = msgspec.convert(values, DatabaseAddress)
        return checked(address)
    except msgspec.ValidationError as error:
        part = str(error).rpartition("`$.")[2].rstrip("`")
        raise Invalid.field("body.url", f"its {part} cannot be used; it {_TAKES}") from None
    except Invalid as error:
        [wrong] = error.errors
        part = wrong.path.removeprefix("body.")
        raise Invalid.field("body.url", f"its {part} {wrong.message}") from None


def _leave_out(type: DatabaseType, options: Mapping[str, str]) -> None:
    """Raises Invalid for an unknown option that may have a meaning."""
    left_out = [name for name, value in options.items() if _means_nothing(type, name, value)]
    if unknown := sorted(options.keys() - set(left_out)):
        raise Invalid.field("body.url", f"has the option {unknown[0]!r}, which is not known here")
    if left_out:
        log.info("database.url_options_ignored", options=left_out, meaning="they mean nothing to Ogel")


def _means_nothing(type: DatabaseType, name: str, value: str) -> bool:
    """Options for pooling, timeouts and names of clients, which Ogel decides itself."""
    if type == "postgresql":
        neon = name == "options" and value.startswith(postgres.OF_SERVICES)
        return neon or name in _OURS_IN_POSTGRESQL or name.lower() in postgres.FOREIGN
    if type == "redis":
        return name.lower() in redis.FOREIGN or name in ("protocol", "client_name")
    return not name.lower().startswith(("tls", "auth", "proxy", "srv", "replicaset", "loadbalanced"))


def _ssl_mode(type: DatabaseType, scheme: str, options: dict[str, str]) -> Any:
    """Removes the options that it understands."""
    if type == "postgresql":
        if options.pop("ssl", "") in ("true", "1", "require"):
            options.setdefault("sslmode", "require")
        return options.pop("sslmode", default_ssl_mode(type))
    if type == "mongodb":
        tls = options.pop("tls", options.pop("ssl", "false"))
        if tls not in ("true", "false"):
            raise Invalid.field("body.url", "its tls takes true or false")
        return "verify-full" if tls == "true" else "disable"
    unverified = options.pop("ssl_cert_reqs", "").lower() in ("none", "cert_none")
    if scheme not in ("rediss", "valkeys"):
        return "disable"
    return "require" if unverified else "verify-full"


def _auth_source(type: DatabaseType, database: str, options: dict[str, str]) -> str | None:
    """As a MongoDB URL defines it: the database in the URL, unless an option says otherwise."""
    return options.pop("authSource", database or None) if type == "mongodb" else None
