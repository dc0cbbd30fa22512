"""Every knob, typed, with its default and one sentence; the environment is read here and nowhere else."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from ogel.kernel.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SECRET_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Knob:
    """`names` in order of preference: Ogel's own, Railway's, the seed document's."""

    names: tuple[str, ...]
    meaning: str
    takes: str
    parse: Callable[[str], Any]
    secret: bool = False


def _knob(
    *names: str, meaning: str, takes: str, parse: Callable[[str], Any], default: Any, secret: bool = False
) -> Any:
    return dataclasses.field(default=default, metadata={"knob": Knob(names, meaning, takes, parse, secret)})


def _text(value: str) -> str:
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = float(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _flag(value: str) -> bool:
    return {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }[value.strip().lower()]


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError
        return value.lower()

    return parse


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in _words(value))


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or (not parts.hostname and "host=" not in parts.query):
            raise ValueError
        _ = parts.port  # raises ValueError when it is no port
        return value

    return parse


def _redis_url(value: str) -> str:
    """`?family=0` is advice for a JavaScript client; redis-py would refuse it."""
    url = _url("redis", "rediss")(value)
    parts = urlsplit(url)
    query = "&".join(p for p in parts.query.split("&") if p and not p.startswith("family="))
    return urlunsplit(parts._replace(query=query))


def _retry_delays(value: str) -> tuple[float, ...]:
    delays = tuple(float(word) for word in _words(value))
    if not 1 <= len(delays) <= 50 or not all(0 <= delay <= 7 * 86400 for delay in delays):
        raise ValueError
    return delays


@dataclass(frozen=True, slots=True)
class Settings:
    """Values as the process uses them. `None` for a server's URL: not configured."""

    database_url: str | None = _knob(
        "DATABASE_UNPOOLED_URL",
        "DATABASE_URL",
        meaning="PostgreSQL; also from POSTGRES_* or PG*. None: `ogel up` starts its own.",
        takes="postgresql://user:password@host:port/database",
        parse=_url("postgresql", "postgres"),
        default=None,
        secret=True,
    )
    redis_url: str | None = _knob(
        "REDIS_URL",
        "REDIS_INTERNAL_URL",
        meaning="Redis or Valkey; REDIS_PASSWORD is added when the URL has none. None: `ogel up` starts its own.",
        takes="redis://[user:password@]host:port[/db]",
        parse=_redis_url,
        default=None,
        secret=True,
    )
    mongo_url: str | None = _knob(
        "MONGO_URL",
        "MONGODB_INTERNAL_URL",
        meaning="MongoDB, for documents and metrics; None: Postgres keeps them.",
        takes="mongodb://host:port",
        parse=_url("mongodb", "mongodb+srv"),
        default=None,
        secret=True,
    )
    data_dir: Path = _knob(
        "OGEL_DATA_DIR",
        meaning="Where embedded servers and generated secrets live.",
        takes="a directory",
        parse=Path,
        default=Path(".ogel"),
    )
    postgres_bin: Path | None = _knob(
        "OGEL_PG_BIN",
        meaning="Directory with initdb and postgres, for the embedded server; None: the installed wheel.",
        takes="a directory",
        parse=Path,
        default=None,
    )
    host: str | None = _knob(
        "OGEL_HOST",
        meaning="Address to listen on; `::` is IPv4 and IPv6. None: `localhost` with embedded servers, else `::`.",
        takes="an address, or localhost",
        parse=_text,
        default=None,
    )
    port: int = _knob(
        "PORT",
        meaning="HTTP port of this process; 0 takes a free one.",
        takes="0 to 65535",
        parse=_whole(0, 65535),
        default=8080,
    )
    admin_key: str | None = _knob(
        "OGEL_ADMIN_KEY",
        meaning="The first API key, with every scope. Generated into the data directory in embedded mode.",
        takes=f"{SECRET_LENGTH} characters or more",
        parse=_text,
        default=None,
        secret=True,
    )
    secret: str | None = _knob(
        "OGEL_SECRET",
        meaning="Root of every key Ogel derives, such as the one webhook secrets are encrypted with. Never change it lightly.",
        takes=f"{SECRET_LENGTH} characters or more",
        parse=_text,
        default=None,
        secret=True,
    )
    log_level: str = _knob(
        "LOG_LEVEL",
        meaning="Least level that is logged.",
        takes="debug, info, warning or error",
        parse=_choice("debug", "info", "warning", "error"),
        default="info",
    )
    sentry_dsn: str | None = _knob(
        "SENTRY_DSN",
        meaning="Sends unexpected errors to Sentry (needs the `sentry` extra).",
        takes="a Sentry DSN",
        parse=_url("http", "https"),
        default=None,
        secret=True,
    )
    drain_seconds: float = _knob(
        "OGEL_DRAIN_SECONDS",
        meaning="After SIGTERM: how long work in flight may take to end before it is given back.",
        takes="seconds, 0 to 600",
        parse=_seconds(0, 600),
        default=30.0,
    )
    connect_seconds: float = _knob(
        "OGEL_CONNECT_SECONDS",
        meaning="At start: how long Postgres may take to answer and reach the schema version needed.",
        takes="seconds, 1 to 3600",
        parse=_seconds(1, 3600),
        default=60.0,
    )
    auto_migrate: bool = _knob(
        "OGEL_AUTO_MIGRATE",
        meaning="`ogel up` and `ogel api` apply missing migrations at start.",
        takes="true or false",
        parse=_flag,
        default=True,
    )
    pool_min: int = _knob(
        "OGEL_POOL_MIN",
        meaning="Postgres connections kept open.",
        takes="0 to 100",
        parse=_whole(0, 100),
        default=2,
    )
    pool_max: int = _knob(
        "OGEL_POOL_MAX",
        meaning="Postgres connections at most, per process.",
        takes="2 to 500",
        parse=_whole(2, 500),
        default=20,
    )
    pool_idle_seconds: float = _knob(
        "OGEL_POOL_IDLE_SECONDS",
        meaning="An idle connection above the minimum closes after this.",
        takes="seconds, 1 to 3600",
        parse=_seconds(1, 3600),
        default=30.0,
    )
    pool_timeout_seconds: float = _knob(
        "OGEL_POOL_TIMEOUT_SECONDS",
        meaning="How long a request waits for a connection before it is answered 503.",
        takes="seconds, 0.1 to 60",
        parse=_seconds(0.1, 60),
        default=2.0,
    )
    pool_keepalive_seconds: int = _knob(
        "OGEL_POOL_KEEPALIVE_SECONDS",
        meaning="Idle seconds before TCP keep-alives start on Postgres connections.",
        takes="seconds, 1 to 3600",
        parse=_whole(1, 3600),
        default=10,
    )
    max_body_bytes: int = _knob(
        "OGEL_MAX_BODY_BYTES",
        meaning="Largest request body; larger ones are answered 413.",
        takes="1024 to 104857600",
        parse=_whole(1024, 104857600),
        default=8 * 1024 * 1024,
    )
    max_event_bytes: int = _knob(
        "OGEL_MAX_EVENT_BYTES",
        meaning="Largest `data` of one event; larger ones are answered 413.",
        takes="1024 to 1048576",
        parse=_whole(1024, 1048576),
        default=256 * 1024,
    )
    trusted_proxies: tuple[Network, ...] = _knob(
        "OGEL_TRUSTED_PROXIES",
        meaning="Peers whose X-Real-IP is believed; the default is Railway's edge.",
        takes="networks, comma separated",
        parse=_networks,
        default=(ipaddress.ip_network("100.64.0.0/10"),),
    )
    worker_queues: tuple[str, ...] = _knob(
        "WORKER_QUEUES",
        meaning="Queues `ogel worker` serves when its command line names none.",
        takes="queue names, comma separated",
        parse=_words,
        default=(),
    )
    worker_in_flight: int = _knob(
        "OGEL_WORKER_IN_FLIGHT",
        meaning="Jobs of one queue performed at once by one process.",
        takes="1 to 10000",
        parse=_whole(1, 10000),
        default=500,
    )
    lease_seconds: float = _knob(
        "OGEL_LEASE_SECONDS",
        meaning="A dead worker's jobs are taken over after this; live workers renew in time.",
        takes="seconds, 1 to 600",
        parse=_seconds(1, 600),
        default=15.0,
    )
    webhook_timeout_seconds: float = _knob(
        "OGEL_WEBHOOK_TIMEOUT_SECONDS",
        meaning="Default for endpoints that name none; covers look-up, connect, send and answer.",
        takes="seconds, 1 to 30",
        parse=_seconds(1, 30),
        default=10.0,
    )
    webhook_retry_delays: tuple[float, ...] = _knob(
        "OGEL_WEBHOOK_RETRY_DELAYS",
        meaning="Seconds between the attempts of a delivery (one more attempt than delays), each varied by 20 %.",
        takes="1 to 50 numbers, comma separated",
        parse=_retry_delays,
        default=(5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0),
    )
    webhook_allow_nets: tuple[Network, ...] | None = _knob(
        "OGEL_WEBHOOK_ALLOW_NETS",
        meaning="Private networks webhooks may reach. None: loopback with embedded servers, else nothing.",
        takes="networks, comma separated",
        parse=_networks,
        default=None,
    )
    retention_days: float = _knob(
        "OGEL_RETENTION_DAYS",
        meaning="Events and finished deliveries older than this are deleted.",
        takes="days, 0.01 to 3650",
        parse=_seconds(0.01, 3650),
        default=30.0,
    )
    audit_retention_days: float = _knob(
        "OGEL_AUDIT_RETENTION_DAYS",
        meaning="Audit records older than this are deleted.",
        takes="days, 0.01 to 36500",
        parse=_seconds(0.01, 36500),
        default=90.0,
    )
    scheduler_interval_seconds: float = _knob(
        "OGEL_SCHEDULER_INTERVAL_SECONDS",
        meaning="How often the scheduler looks at its clock.",
        takes="seconds, 0.1 to 60",
        parse=_seconds(0.1, 60),
        default=1.0,
    )

    @property
    def embedded(self) -> bool:
        """`ogel up` without a server's URL starts its own."""
        return self.database_url is None or self.redis_url is None


@dataclass(frozen=True, slots=True)
class Sourced:
    """Settings, and for each field the variable that gave it (None: the default)."""

    settings: Settings
    sources: Mapping[str, str | None]


def read_settings(environ: Mapping[str, str]) -> Sourced:
    """Raises ConfigError with one line for the first variable that is wrong. An empty variable counts as not set."""
    values: dict[str, Any] = {}
    sources: dict[str, str | None] = {}
    for field in dataclasses.fields(Settings):
        knob: Knob = field.metadata["knob"]
        source = next((name for name in knob.names if environ.get(name)), None)
        sources[field.name] = source
        if source is not None:
            values[field.name] = _parsed(knob, source, environ[source])
    _compose_database_url(environ, values, sources)
    _add_redis_password(environ, values)
    return Sourced(Settings(**values), sources)


def require_secrets(settings: Settings) -> None:
    """Outside embedded mode nothing is generated: raises ConfigError when a secret is missing or short."""
    for name, value in (("OGEL_ADMIN_KEY", settings.admin_key), ("OGEL_SECRET", settings.secret)):
        if value is None:
            raise ConfigError(f"{name} is not set; it takes {SECRET_LENGTH} characters or more")
        if len(value) < SECRET_LENGTH:
            raise ConfigError(f"{name} has {len(value)} characters; it takes {SECRET_LENGTH} or more")


def require_servers(settings: Settings) -> None:
    if settings.database_url is None:
        raise ConfigError("DATABASE_URL is not set; it takes postgresql://user:password@host:port/database")
    if settings.redis_url is None:
        raise ConfigError("REDIS_URL is not set; it takes redis://[user:password@]host:port[/db]")


def _parsed(knob: Knob, source: str, value: str) -> Any:
    try:
        return knob.parse(value.strip())
    except (ValueError, KeyError):
        shown = "a value that is none (hidden)" if knob.secret else repr(value)
        raise ConfigError(f"{source} got {shown}; it takes {knob.takes}") from None


def _compose_database_url(
    environ: Mapping[str, str], values: dict[str, Any], sources: dict[str, str | None]
) -> None:
    """The seed's POSTGRES_* and libpq's PG* variables, when no URL is given."""
    if "database_url" in values:
        return
    for prefix, database in (("POSTGRES_", "POSTGRES_DATABASE"), ("PG", "PGDATABASE")):
        host = environ.get(f"{prefix}HOST")
        if not host:
            continue
        port = _parsed(
            Knob((f"{prefix}PORT",), "", "1 to 65535", _whole(1, 65535)),
            f"{prefix}PORT",
            environ.get(f"{prefix}PORT") or "5432",
        )
        user = quote(environ.get(f"{prefix}USER") or "postgres", safe="")
        password = quote(environ.get(f"{prefix}PASSWORD") or "", safe="")
        name = quote(environ.get(database) or environ.get(f"{prefix}DB") or "postgres", safe="")
        bracketed = f"[{host}]" if ":" in host else host
        values["database_url"] = f"postgresql://{user}:{password}@{bracketed}:{port}/{name}"
        sources["database_url"] = f"{prefix}HOST…"
        return


def _add_redis_password(environ: Mapping[str, str], values: dict[str, Any]) -> None:
    password = environ.get("REDIS_PASSWORD")
    url = values.get("redis_url")
    if not password or url is None or urlsplit(url).password:
        return
    parts = urlsplit(url)
    user = parts.username or ""
    host = parts.netloc.rpartition("@")[2]
    values["redis_url"] = urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))
