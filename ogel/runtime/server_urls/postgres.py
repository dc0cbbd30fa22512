"""PostgreSQL URLs: libpq's options are kept, those of other drivers and of hosting services are dropped."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, unquote

from ogel.runtime.server_urls.parts import (
    BadUrl,
    Check,
    Cleaned,
    ServerUrl,
    anything,
    checked_value,
    names,
    number,
    one_of,
    unknown_option,
)

SHAPE = "postgresql://user:password@host:port/database"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_INSIST_ON_TLS = ("require", "verify-ca", "verify-full")
_SCHEMES = ("postgresql", "postgres")
# Schemes of Django, PHP and Heroku. SQLAlchemy's name a driver: postgresql+asyncpg.
_OTHER_SCHEMES = ("postgis", "pgsql", "psql", "timescale", "timescaledb")

_FLAG = one_of("0", "1")
_SECONDS = number(1, 600)
# From libpq's documentation, §34.1.2. With `replication` the server would take no queries.
LIBPQ: dict[str, Check] = {
    **dict.fromkeys(
        names(
            "host hostaddr dbname user password passfile service fallback_application_name application_name",
            "options sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir requirepeer require_auth krbsrvname",
            "gsslib ssl_min_protocol_version ssl_max_protocol_version scram_client_key scram_server_key",
        ),
        anything,
    ),
    "port": lambda value: all(number(1, 65535)(each) for each in value.split(",")),
    "client_encoding": lambda value: value.lower().replace("-", "") in ("utf8", "auto", "unicode"),
    "connect_timeout": _SECONDS,
    "keepalives": _FLAG,
    "keepalives_idle": number(0, 100_000),
    "keepalives_interval": number(0, 100_000),
    "keepalives_count": number(0, 1000),
    "tcp_user_timeout": number(0, 10_000_000),
    "sslmode": one_of(*SSL_MODES),
    "sslnegotiation": one_of("postgres", "direct"),
    "sslcompression": _FLAG,
    "sslcertmode": one_of("disable", "allow", "require"),
    "sslsni": _FLAG,
    "gssencmode": one_of("disable", "prefer", "require"),
    "gssdelegation": _FLAG,
    "channel_binding": one_of("disable", "prefer", "require"),
    "target_session_attrs": one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": one_of("disable", "random"),
}
# Options of other clients for pooling, timeouts and caches, and for the schema; ours has a name of its own.
FOREIGN = frozenset(
    names(
        # Prisma, Supabase, Neon
        "schema pgbouncer connection_limit pool_timeout socket_timeout statement_cache_size single_use_connections",
        "sslaccept sslidentity supa workaround pooler endpoint project uselibpqcompat",
        # SQLAlchemy, asyncpg, psycopg2
        "prepared_statement_cache_size prepared_statement_name_func async_fallback max_cached_statement_lifetime",
        "command_timeout server_settings pool_pre_ping pool_recycle max_overflow",
        # Django, Rails, Ecto, Laravel
        "conn_max_age conn_health_checks atomic_requests disable_server_side_cursors pool checkout_timeout",
        "reaping_frequency idle_timeout prepared_statements variables encoding charset adapter search_path",
        "schema_search_path pool_size queue_target queue_interval prepare min_messages advisory_locks serverversion",
        # Go
        "pool_max_conns pool_min_conns pool_max_conn_lifetime pool_max_conn_lifetime_jitter pool_max_conn_idle_time",
        "pool_health_check_period default_query_exec_mode statement_cache_mode statement_cache_capacity",
        "description_cache_capacity binary_parameters timezone",
        # JDBC, Node.js
        "currentschema preparethreshold applicationname logintimeout sockettimeout connecttimeout tcpkeepalive",
        "rewritebatchedinserts stringtype sslfactory defaultrowfetchsize targetservertype loggerlevel max max_lifetime",
        "connectiontimeoutmillis idletimeoutmillis query_timeout statement_timeout",
    )
)
# In `options`, for proxies that do not read the host name from TLS (SNI); libpq sends it itself.
OF_SERVICES = ("endpoint=", "project=", "reference=")


def clean(text: str) -> Cleaned:
    """Raises BadUrl."""
    url = ServerUrl.parse(text)
    scheme, ignored = postgres_scheme(url.scheme)
    kept: list[tuple[str, str]] = []
    for name, value in url.options:
        if name == "ssl":
            name, value = _ssl_mode(unquote(value))
        elif name == "options":
            value, left_out = _server_options(unquote(value))
            ignored += left_out
            if not value:
                continue
        if name in LIBPQ:
            checked_value(name, value, LIBPQ)
            kept.append((name, value))
        elif name.lower() in FOREIGN:
            ignored.append(f"option {name}")
        else:
            raise unknown_option(name)
    options = dict(kept)
    if options.get("channel_binding") and options.get("sslmode") not in _INSIST_ON_TLS:
        # Channel binding ties the password to the TLS connection, which may not exist unless sslmode requires it.
        kept = [(name, value) for name, value in kept if name != "channel_binding"]
        ignored.append("option channel_binding (without sslmode=require)")
    if not (url.place or "host" in options or "hostaddr" in options or "service" in options):
        raise BadUrl("it has no host")
    return Cleaned(str(replace(url, scheme=scheme, options=tuple(kept))), tuple(ignored))


def postgres_scheme(scheme: str) -> tuple[str, list[str]]:
    """Returns the scheme for libpq, and what was dropped from it. Raises BadUrl."""
    base, plus, driver = scheme.partition("+")
    if base in _OTHER_SCHEMES and not plus:
        return "postgresql", []
    if base not in _SCHEMES:
        raise BadUrl("its scheme is another one")
    return base, [f"driver +{driver}"] if plus else []


def _ssl_mode(value: str) -> tuple[str, str]:
    """Translates `ssl`, an option of JDBC and asyncpg."""
    words = {
        "true": "require",
        "1": "require",
        "on": "require",
        "false": "prefer",
        "0": "prefer",
        "off": "prefer",
    }
    return "sslmode", words.get(value.lower(), value)


def _server_options(value: str) -> tuple[str, list[str]]:
    """Splits `options`: command-line options are sent to the server, words of hosting services are dropped."""
    words = value.split()
    kept = [word for word in words if not word.startswith(OF_SERVICES)]
    left_out = [f"option options ({word.partition('=')[0]}=)" for word in words if word not in kept]
    return quote(" ".join(kept) if left_out else value, safe=""), left_out
