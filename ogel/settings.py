"""The root of the settings: servers, the process, secrets. What a feature can be told stands beside the feature."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar, cast

from ogel.kernel.errors import ConfigError
from ogel.knobs import (
    Network,
    Section,
    assignments,
    choice,
    endpoint,
    flag,
    host_name,
    knob,
    long_text,
    long_texts,
    networks,
    origins,
    path,
    quotas,
    real,
    server_url,
    text,
    whole,
    word,
    words,
)
from ogel.runtime.bucket_presets import PRESETS, UrlStyle
from ogel.runtime.network.server import NamedServer, Protocol
from ogel.runtime.rates.policy import Quota
from ogel.runtime.server_urls import mongo, postgres, redis
from ogel.runtime.server_urls.others import (
    DSN_SHAPE,
    PROXY_SHAPE,
    clean_dsn,
    clean_proxy,
)

SECRET_LENGTH = 24
Chosen = TypeVar("Chosen", bound=Section)

_SECRET = long_text(SECRET_LENGTH)


@dataclass(frozen=True, slots=True)
class Settings:
    """Values as the process uses them. `None` for a server's URL: not configured."""

    # Railway's PgBouncer turns DATABASE_URL into its own, where LISTEN and advisory locks do not work.
    database_url: str | None = knob(
        "DATABASE_URL",
        before="DATABASE_UNPOOLED_URL",
        takes=server_url(postgres.clean, postgres.SHAPE),
        default=None,
        meaning="PostgreSQL; also from POSTGRES_* or PG*. None: `ogel up` starts its own.",
        secret=True,
    )
    redis_url: str | None = knob(
        "REDIS_URL",
        "REDIS_INTERNAL_URL",
        takes=server_url(redis.clean, redis.SHAPE),
        default=None,
        meaning="Redis or Valkey; REDIS_PASSWORD is added if it has none. None: `ogel up` starts its own.",
        secret=True,
    )
    mongo_url: str | None = knob(
        "MONGO_URL",
        "MONGODB_INTERNAL_URL",
        takes=server_url(mongo.clean, mongo.SHAPE),
        default=None,
        meaning="MongoDB, watched by /api/health and `ogel doctor` (needs the `mongo` extra).",
        secret=True,
    )
    storage_backend: str = knob(
        "STORAGE_BACKEND",
        takes=choice("local", *PRESETS),
        default="local",
        meaning="Where objects and backups are kept: OGEL_DATA_DIR, or an S3 service (needs S3_* and the `s3` extra).",
    )
    local_bytes: int = knob(
        "OGEL_STORAGE_LOCAL_BYTES",
        takes=whole(0, 2**60, "bytes"),
        default=50 * 1024**3,
        meaning="What OGEL_DATA_DIR takes of objects and backups, if they are kept there; 0: what the disk does.",
    )
    s3_endpoint: str | None = knob(
        "S3_ENDPOINT",
        "ENDPOINT",
        "AWS_ENDPOINT_URL",
        takes=endpoint(),
        default=None,
        meaning="The S3 service, if STORAGE_BACKEND does not tell; the other names of this and of those below are a"
        " Railway bucket's.",
    )
    s3_public_endpoint: str | None = knob(
        "S3_PUBLIC_ENDPOINT",
        takes=endpoint(),
        default=None,
        meaning="Where clients reach it, for signed URLs; without it at S3_ENDPOINT.",
    )
    s3_bucket: str | None = knob(
        "S3_BUCKET",
        "BUCKET",
        "AWS_S3_BUCKET_NAME",
        takes=text("a bucket's name"),
        default=None,
        meaning="The bucket.",
    )
    s3_access_key: str | None = knob(
        "S3_ACCESS_KEY",
        "ACCESS_KEY_ID",
        "AWS_ACCESS_KEY_ID",
        takes=text("a key id"),
        default=None,
        meaning="Its key id.",
        secret=True,
    )
    s3_secret_key: str | None = knob(
        "S3_SECRET_KEY",
        "SECRET_ACCESS_KEY",
        "AWS_SECRET_ACCESS_KEY",
        takes=text("a key"),
        default=None,
        meaning="Its key.",
        secret=True,
    )
    s3_region: str | None = knob(
        "S3_REGION",
        "REGION",
        "AWS_DEFAULT_REGION",
        takes=text("a region"),
        default=None,
        meaning="Its region, if STORAGE_BACKEND or S3_ENDPOINT does not tell.",
    )
    s3_url_style: UrlStyle | None = knob(
        "S3_URL_STYLE",
        "AWS_S3_URL_STYLE",
        takes=choice("path", "virtual"),
        default=None,
        meaning="Whether the bucket stands in the path or before the host; without it as STORAGE_BACKEND has it.",
    )
    data_dir: Path = knob(
        "OGEL_DATA_DIR",
        takes=path("a directory"),
        default=Path(".ogel"),
        meaning="Where embedded servers, generated secrets and local files live.",
    )
    postgres_bin: Path | None = knob(
        "OGEL_PG_BIN",
        takes=path("a directory"),
        default=None,
        meaning="Directory with initdb and postgres, for the embedded server. None: the installed wheel.",
    )
    redis_bin: Path | None = knob(
        "OGEL_REDIS_BIN",
        takes=path("a program's path"),
        default=None,
        meaning="valkey-server or redis-server, for the embedded server. None: the installed wheel.",
    )
    host: str | None = knob(
        "OGEL_HOST",
        takes=host_name("an address, or localhost"),
        default=None,
        meaning="Address to listen on. None: localhost with embedded servers, else `::` (IPv4 and IPv6).",
    )
    port: int = knob(
        "PORT",
        takes=whole(0, 65535, "port"),
        default=8080,
        meaning="HTTP port of this process; 0 takes a free one.",
    )
    admin_key: str | None = knob(
        "OGEL_ADMIN_KEY",
        takes=_SECRET,
        default=None,
        meaning="The first API key, with every scope. Embedded mode makes one in the data directory.",
        secret=True,
    )
    secret: str | None = knob(
        "OGEL_SECRET",
        takes=_SECRET,
        default=None,
        meaning="Root of every key Ogel derives: under another one, stored webhook secrets cannot be read.",
        secret=True,
    )
    former_secrets: tuple[str, ...] = knob(
        "OGEL_SECRET_OLD",
        takes=long_texts(SECRET_LENGTH),
        default=(),
        meaning="Other values of OGEL_SECRET: what they sealed can be read; see `ogel secrets --help`.",
        secret=True,
    )
    log_level: str = knob(
        "LOG_LEVEL",
        takes=choice("debug", "info", "warning", "error"),
        default="info",
        meaning="Least level that is logged.",
    )
    log_form: Literal["json", "text"] | None = knob(
        "OGEL_LOG",
        takes=choice("json", "text"),
        default=None,
        meaning="How logs are written; without it as text for people on a terminal, as JSON elsewhere.",
    )
    sentry_dsn: str | None = knob(
        "SENTRY_DSN",
        takes=server_url(clean_dsn, DSN_SHAPE),
        default=None,
        meaning="Sends logged errors to Sentry (needs the `sentry` extra).",
        secret=True,
    )
    drain_seconds: float = knob(
        "OGEL_DRAIN_SECONDS",
        takes=real(0, 600, "seconds"),
        default=30.0,
        meaning="After SIGTERM: how long work in flight may take to end before it is given back.",
    )
    connect_seconds: float = knob(
        "OGEL_CONNECT_SECONDS",
        takes=real(1, 3600, "seconds"),
        default=60.0,
        meaning="At start: how long Postgres may take to answer and reach the schema version needed.",
    )
    auto_migrate: bool = knob(
        "OGEL_AUTO_MIGRATE",
        takes=flag(),
        default=True,
        meaning="`ogel up` and `ogel api` apply missing migrations at start.",
    )
    pool_min: int = knob(
        "OGEL_POOL_MIN", takes=whole(0, 100), default=2, meaning="Postgres connections kept open."
    )
    pool_max: int = knob(
        "OGEL_POOL_MAX", takes=whole(2, 500), default=20, meaning="Postgres connections at most, per process."
    )
    pool_idle_seconds: float = knob(
        "OGEL_POOL_IDLE_SECONDS",
        takes=real(1, 3600, "seconds"),
        default=30.0,
        meaning="An idle connection above the minimum closes after this.",
    )
    pool_timeout_seconds: float = knob(
        "OGEL_POOL_TIMEOUT_SECONDS",
        takes=real(0.1, 60, "seconds"),
        default=2.0,
        meaning="How long a request waits for a connection before it is answered 503.",
    )
    pool_keepalive_seconds: int = knob(
        "OGEL_POOL_KEEPALIVE_SECONDS",
        takes=whole(1, 3600, "seconds"),
        default=10,
        meaning="Idle seconds before TCP keep-alives start on Postgres connections.",
    )
    max_body_bytes: int = knob(
        "OGEL_MAX_BODY_BYTES",
        takes=whole(1024, 100 * 1024 * 1024, "bytes"),
        default=8 * 1024 * 1024,
        meaning="Largest request body of all; larger ones are answered 413. Most operations take less.",
    )
    trusted_proxies: tuple[Network, ...] = knob(
        "OGEL_TRUSTED_PROXIES",
        takes=networks(),
        default=(ipaddress.ip_network("100.64.0.0/10"),),
        meaning="Peers whose X-Real-IP is believed; the default is Railway's edge.",
    )
    cors_origins: tuple[str, ...] = knob(
        "OGEL_CORS_ORIGINS",
        "ALLOWED_ORIGINS",
        takes=origins(),
        default=(),
        meaning="Pages that may use the API and open WebSockets; without it those of any origin may use the dialects,"
        " with a key, and none may use the API.",
    )
    admin_allow_nets: tuple[Network, ...] = knob(
        "OGEL_ADMIN_ALLOW_NETS",
        takes=networks(),
        default=(),
        meaning="From where OGEL_ADMIN_KEY and keys with the scope * are taken; without it from everywhere.",
    )
    rate_read: tuple[Quota, ...] = knob(
        "OGEL_RATE_READ",
        takes=quotas(),
        default=(Quota(10_000, 10),),
        meaning="Requests that read, by one key; more are answered 429. OGEL_ADMIN_KEY is never limited.",
    )
    rate_write: tuple[Quota, ...] = knob(
        "OGEL_RATE_WRITE",
        takes=quotas(),
        default=(Quota(5_000, 10),),
        meaning="Requests that change something, by one key.",
    )
    rate_publish: tuple[Quota, ...] = knob(
        "OGEL_RATE_PUBLISH",
        takes=quotas(),
        default=(Quota(20_000, 10),),
        meaning="Requests that publish events or send mail and messages, by one key.",
    )
    rate_stream: tuple[Quota, ...] = knob(
        "OGEL_RATE_STREAM",
        takes=quotas(),
        default=(Quota(2_000, 10),),
        meaning="Streams that one key opens.",
    )
    rate_sign_in: tuple[Quota, ...] = knob(
        "OGEL_RATE_SIGN_IN",
        takes=quotas(),
        default=(Quota(30, 300),),
        meaning="Attempts to sign in, from one address.",
    )
    rate_wrong_keys: tuple[Quota, ...] = knob(
        "OGEL_RATE_WRONG_KEYS",
        takes=quotas(),
        default=(Quota(600, 60),),
        meaning="Keys that are none, from one address; after that only keys met before are looked at.",
    )
    worker_queues: tuple[str, ...] = knob(
        "WORKER_QUEUES",
        takes=words("queue names"),
        default=(),
        meaning="Queues `ogel worker` serves when its command line names none.",
    )
    worker_in_flight: int = knob(
        "OGEL_WORKER_IN_FLIGHT",
        takes=whole(1, 10000),
        default=500,
        meaning="Jobs of one queue performed at once by one process.",
    )
    queue_soft_limit: int = knob(
        "OGEL_QUEUE_SOFT_LIMIT",
        takes=whole(0, 1_000_000_000),
        default=100_000,
        meaning="Jobs that wait in one queue before it is warned about; 0: never.",
    )
    queue_hard_limit: int = knob(
        "OGEL_QUEUE_HARD_LIMIT",
        takes=whole(0, 1_000_000_000),
        default=1_000_000,
        meaning="Jobs that wait in one queue before publishing to it is answered 503; 0: no limit.",
    )
    worker_max_mb: int = knob(
        "OGEL_WORKER_MAX_MB",
        takes=whole(0, 1_000_000, "MiB"),
        default=0,
        meaning="A process with queues that has more resident MB (Linux) drains and restarts in place. 0: no limit.",
    )
    remote_shutdown: bool = knob(
        "OGEL_REMOTE_SHUTDOWN",
        takes=flag(),
        default=True,
        meaning="A worker ends when RQ's command `shutdown` tells it to; whoever can write to Redis can give it.",
    )
    isolated_jobs: int = knob(
        "OGEL_ISOLATED_JOBS",
        takes=whole(1, 64),
        default=1,
        meaning="Jobs of isolated kinds performed at once by one process, each in a process of its own.",
    )
    lease_seconds: float = knob(
        "OGEL_LEASE_SECONDS",
        takes=real(1, 600, "seconds"),
        default=15.0,
        meaning="A dead worker's jobs are taken over after this; live workers renew in time.",
    )
    webhook_allow_nets: tuple[Network, ...] | None = knob(
        "OGEL_WEBHOOK_ALLOW_NETS",
        takes=networks(),
        default=None,
        empty=(),
        meaning="Private networks webhooks may reach. None: loopback with embedded servers, else nothing."
        " Empty: nothing.",
    )
    egress_proxy: str | None = knob(
        "OGEL_EGRESS_PROXY",
        takes=server_url(clean_proxy, PROXY_SHAPE),
        default=None,
        meaning="Webhooks leave through this HTTP proxy (CONNECT), to addresses that Ogel has checked itself.",
        secret=True,
    )
    private_domain: str | None = knob(
        "RAILWAY_PRIVATE_DOMAIN",
        takes=host_name(),
        default=None,
        meaning="This service's name on the private network, which webhooks may not call.",
    )
    public_domain: str | None = knob(
        "RAILWAY_PUBLIC_DOMAIN",
        takes=host_name(),
        default=None,
        meaning="This service's public name, which webhooks may not call.",
    )
    railway_token: str | None = knob(
        "RAILWAY_TOKEN",
        takes=word("a token"),
        default=None,
        meaning="A project's token: what commands may see and change of one environment on Railway.",
        secret=True,
    )
    railway_api_token: str | None = knob(
        "RAILWAY_API_TOKEN",
        takes=word("a token"),
        default=None,
        meaning="An account's or workspace's token, for all of its projects; not together with RAILWAY_TOKEN.",
        secret=True,
    )
    railway_api: str = knob(
        "OGEL_RAILWAY_API",
        takes=endpoint("http(s)://host[:port]/path"),
        default="https://backboard.railway.com/graphql/v2",
        meaning="Where Railway's public API is.",
    )
    railway_project_id: str | None = knob(
        "RAILWAY_PROJECT_ID",
        takes=word("an id"),
        default=None,
        meaning="The project that commands are about, where no option names one.",
    )
    railway_environment_id: str | None = knob(
        "RAILWAY_ENVIRONMENT_ID",
        takes=word("an id"),
        default=None,
        meaning="The environment, likewise.",
    )
    railway_deployment_id: str | None = knob(
        "RAILWAY_DEPLOYMENT_ID",
        takes=word("an id"),
        default=None,
        meaning="The deployment that this process belongs to.",
    )
    retention_days: float = knob(
        "OGEL_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Events and finished deliveries older than this are deleted.",
    )
    scheduler_interval_seconds: float = knob(
        "OGEL_SCHEDULER_INTERVAL_SECONDS",
        takes=real(0.1, 60, "seconds"),
        default=1.0,
        meaning="How often the scheduler looks at its clock.",
    )
    schedules: tuple[tuple[str, str], ...] = knob(
        "OGEL_SCHEDULES",
        takes=assignments(
            "name=cron, name=on or name=off, separated by semicolons: cleanup.events=0 3 * * *"
        ),
        default=(),
        meaning="Times of built-in schedules, in UTC, and which of them run; `cleanup.*` is all of that name,"
        " `backups.create` is off unless it stands here. `ogel schedules` lists them.",
    )

    # What features have, by class; one that is not here has its defaults.
    sections: Mapping[type[Section], Section] = field(default_factory=dict)
    # The variable that gave a field, by its name as `environ.knobs` has it; what is not here was not given.
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def of(self, section: type[Chosen]) -> Chosen:
        found = self.sections.get(section)
        return section() if found is None else cast(Chosen, found)

    def for_one_machine(self, sections: Iterable[type[Section]]) -> Settings:
        """What is not set is as it is right for one machine of one's own."""
        return replace(self, sections={each: self.of(each).for_one_machine(self.port) for each in sections})

    def servers(self) -> Sequence[NamedServer]:
        """Those that the root names; see Section.servers."""
        public = "s3_public_endpoint"
        named: list[tuple[str, Protocol, str | None, str]] = [
            ("postgres", "postgresql", self.database_url, "database_url"),
            ("redis", "redis", self.redis_url, "redis_url"),
            ("mongo", "mongodb", self.mongo_url, "mongo_url"),
            ("egress proxy", "tcp", self.egress_proxy, "egress_proxy"),
            ("sentry", "http", self.sentry_dsn, "sentry_dsn"),
        ]
        if self.storage_backend != "local":
            named += [
                ("storage", "http", self.s3_endpoint, "s3_endpoint"),
                ("storage for clients", "http", self.s3_public_endpoint, public),
            ]
        return [
            NamedServer(name, protocol, url, field, told=field == public)
            for name, protocol, url, field in named
            if url
        ]

    @property
    def embedded(self) -> bool:
        """`ogel up` without a server's URL starts its own."""
        return self.database_url is None or self.redis_url is None


# Enough to build a platform that nothing is asked of but its manifests.
NOWHERE = Settings(
    database_url="postgresql://nowhere/none", redis_url="redis://nowhere", admin_key="0" * 24, secret="0" * 24
)


_NOT_SET = {
    "database_url": f"DATABASE_URL is not set; it takes {postgres.SHAPE}",
    "redis_url": f"REDIS_URL is not set; it takes {redis.SHAPE}",
    "admin_key": f"OGEL_ADMIN_KEY is not set; it takes {SECRET_LENGTH} characters or more",
    "secret": f"OGEL_SECRET is not set; it takes {SECRET_LENGTH} characters or more",
}


def missing(settings: Settings, *fields: str) -> list[str]:
    """A line for each of them that is not set. Outside embedded mode nothing is generated."""
    return [_NOT_SET[field] for field in fields if getattr(settings, field) is None]


def require(settings: Settings, *fields: str) -> None:
    """Raises ConfigError where some are not set, with a line for each."""
    if lines := missing(settings, *fields):
        raise ConfigError("\n".join(lines))


def require_secret(settings: Settings) -> str:
    """OGEL_SECRET. Raises ConfigError when it is missing."""
    require(settings, "secret")
    assert settings.secret is not None
    return settings.secret


def require_database(settings: Settings) -> str:
    """The URL. Raises ConfigError when it is missing."""
    require(settings, "database_url")
    assert settings.database_url is not None
    return settings.database_url
