"""Every knob, typed, with its default and one sentence; environ.py turns them from the environment's variables."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from ogel.kernel.errors import ConfigError
from ogel.knobs import (
    Network,
    Takes,
    assignments,
    choice,
    choices,
    contact,
    endpoint,
    flag,
    helo_name,
    host_name,
    knob,
    long_text,
    long_texts,
    networks,
    path,
    quotas,
    real,
    reals,
    server_url,
    service_account,
    text,
    vapid_key,
    whole,
    words,
)
from ogel.runtime.mail.address import parse_address
from ogel.runtime.rates.policy import Quota
from ogel.runtime.server_urls import mongo, postgres, redis
from ogel.runtime.server_urls.others import (
    DSN_SHAPE,
    PROXY_SHAPE,
    SMTP_SHAPE,
    clean_dsn,
    clean_proxy,
    clean_smtp,
)

SECRET_LENGTH = 24
Section = TypeVar("Section")

_SECRET = long_text(SECRET_LENGTH)
_ADDRESS = Takes("name@example.com or Name <name@example.com>", lambda value: str(parse_address(value)))


_FIELDS: Mapping[str, Mapping[str, str]] = {
    "AuditSettings": {"retention_days": "audit_retention_days"},
    "BackupsSettings": {"keep": "backup_keep"},
    "EventsSettings": {"max_bytes": "max_event_bytes"},
    "JobsSettings": {
        "dead_retention_days": "dead_job_retention_days",
        "alert_queue_seconds": "alert_queue_seconds",
        "alert_dead_jobs": "alert_dead_jobs",
    },
    "KeysSettings": {"retention_days": "key_retention_days"},
    "MailSettings": {
        "providers": "mail_providers",
        "sender": "mail_from",
        "resend_api_key": "resend_api_key",
        "resend_url": "resend_url",
        "smtp_url": "smtp_url",
        "helo": "mail_helo",
        "templates": "mail_templates",
        "retry_delays": "mail_retry_delays",
        "timeout_seconds": "mail_timeout_seconds",
        "retention_days": "mail_retention_days",
    },
    "MessagingSettings": {
        "sms_providers": "sms_providers",
        "twilio_account_sid": "twilio_account_sid",
        "twilio_auth_token": "twilio_auth_token",
        "twilio_from": "twilio_from",
        "twilio_url": "twilio_url",
        "vonage_api_key": "vonage_api_key",
        "vonage_api_secret": "vonage_api_secret",
        "vonage_from": "vonage_from",
        "vonage_url": "vonage_url",
        "fcm_service_account": "fcm_service_account",
        "fcm_url": "fcm_url",
        "vapid_private_key": "vapid_private_key",
        "vapid_subject": "vapid_subject",
        "lifetime_seconds": "message_lifetime_seconds",
        "retention_days": "message_retention_days",
    },
    "ObservabilitySettings": {
        "flush_seconds": "usage_flush_seconds",
        "hours_kept_days": "usage_hours_days",
        "days_kept_days": "usage_days",
        "samples_kept_days": "resources_days",
        "alert_disk_free": "alert_disk_free",
        "alert_connections": "alert_connections",
        "alert_cache_hits": "alert_cache_hits",
        "alert_memory_mb": "alert_memory_mb",
        "alert_redis_memory": "alert_redis_memory",
    },
    "SchedulesSettings": {"least_seconds": "schedule_least_seconds"},
    "WebhooksSettings": {
        "timeout_seconds": "webhook_timeout_seconds",
        "retry_delays": "webhook_retry_delays",
        "probe_seconds": "webhook_probe_seconds",
        "disable_after_seconds": "webhook_disable_after_seconds",
        "alert_open_breakers": "alert_open_breakers",
    },
}


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
        takes=choice("local", "s3", "r2"),
        default="local",
        meaning="Where backups are kept: OGEL_DATA_DIR, or an S3 service (needs S3_* and the `s3` extra).",
    )
    s3_endpoint: str | None = knob(
        "S3_ENDPOINT",
        "ENDPOINT",
        takes=endpoint(),
        default=None,
        meaning="The S3 service; the second name of this and the four below is a Railway bucket's.",
    )
    s3_bucket: str | None = knob(
        "S3_BUCKET", "BUCKET", takes=text("a bucket's name"), default=None, meaning="The bucket."
    )
    s3_access_key: str | None = knob(
        "S3_ACCESS_KEY",
        "ACCESS_KEY_ID",
        takes=text("a key id"),
        default=None,
        meaning="Its key id.",
        secret=True,
    )
    s3_secret_key: str | None = knob(
        "S3_SECRET_KEY",
        "SECRET_ACCESS_KEY",
        takes=text("a key"),
        default=None,
        meaning="Its key.",
        secret=True,
    )
    s3_region: str = knob(
        "S3_REGION",
        "REGION",
        takes=text("a region"),
        default="us-east-1",
        meaning="Its region; R2 takes `auto` too.",
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
    max_event_bytes: int = knob(
        "OGEL_MAX_EVENT_BYTES",
        takes=whole(1024, 1024 * 1024, "bytes"),
        default=256 * 1024,
        meaning="Largest `data` of one event; larger ones are answered 413.",
    )
    trusted_proxies: tuple[Network, ...] = knob(
        "OGEL_TRUSTED_PROXIES",
        takes=networks(),
        default=(ipaddress.ip_network("100.64.0.0/10"),),
        meaning="Peers whose X-Real-IP is believed; the default is Railway's edge.",
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
    webhook_timeout_seconds: float = knob(
        "OGEL_WEBHOOK_TIMEOUT_SECONDS",
        takes=real(1, 30, "seconds"),
        default=10.0,
        meaning="For endpoints that name none; covers look-up, connect, send and answer.",
    )
    webhook_retry_delays: tuple[float, ...] = knob(
        "OGEL_WEBHOOK_RETRY_DELAYS",
        takes=reals(0, 7 * 86400, "seconds", most_of_them=50),
        default=(5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0),
        meaning="Between the attempts of a delivery, on average (one attempt more than delays).",
    )
    webhook_probe_seconds: float = knob(
        "OGEL_WEBHOOK_PROBE_SECONDS",
        takes=real(0.1, 3600, "seconds"),
        default=15.0,
        meaning="Between probes of an endpoint whose breaker is open; in a long outage up to five minutes.",
    )
    webhook_disable_after_seconds: float = knob(
        "OGEL_WEBHOOK_DISABLE_AFTER_SECONDS",
        takes=real(1, 366 * 86400, "seconds"),
        default=5 * 86400.0,
        meaning="An endpoint that does nothing but fail for so long is disabled.",
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
    mail_providers: tuple[str, ...] | None = knob(
        "OGEL_MAIL_PROVIDERS",
        "MAIL_PROVIDER",
        takes=choices("resend", "smtp", "outbox"),
        default=None,
        empty=(),
        meaning="Asked in this order. None: those of which the key or server is set; embedded, else, the outbox."
        " Empty: no outbox.",
    )
    mail_from: str | None = knob(
        "OGEL_MAIL_FROM",
        "MAIL_FROM",
        takes=_ADDRESS,
        default=None,
        empty="",
        meaning="The sender of mail that names none. None: ogel@ogel.invalid with embedded servers. Empty: nobody.",
    )
    resend_api_key: str | None = knob(
        "RESEND_API_KEY", takes=text("a key"), default=None, meaning="Resend's key, re_….", secret=True
    )
    resend_url: str = knob(
        "RESEND_BASE_URL",
        takes=endpoint("https://host[:port]"),
        default="https://api.resend.com",
        meaning="Where Resend's API is.",
    )
    smtp_url: str | None = knob(
        "SMTP_URL",
        takes=server_url(clean_smtp, SMTP_SHAPE),
        default=None,
        meaning="smtp:// insists on STARTTLS, smtps:// is TLS, smtp+plain:// neither; also from SMTP_HOST and others.",
        secret=True,
    )
    mail_helo: str | None = knob(
        "OGEL_MAIL_HELO",
        takes=helo_name(),
        default=None,
        meaning="What SMTP servers are told we are called (EHLO). None: the domain of the letter's sender.",
    )
    mail_templates: Path | None = knob(
        "OGEL_MAIL_TEMPLATES",
        takes=path("a directory"),
        default=None,
        meaning="Templates of your own, `<locale>/<name>.subject.jinja` and so on, before those of Ogel.",
    )
    mail_retry_delays: tuple[float, ...] = knob(
        "OGEL_MAIL_RETRY_DELAYS",
        takes=reals(0, 7 * 86400, "seconds", most_of_them=50),
        default=(60.0, 300.0, 1800.0, 7200.0, 14400.0, 21600.0, 36000.0),
        meaning="Between the attempts to send a message, about (one attempt more than delays).",
    )
    mail_timeout_seconds: float = knob(
        "OGEL_MAIL_TIMEOUT_SECONDS",
        takes=real(0.1, 300, "seconds"),
        default=30.0,
        meaning="How long one provider may take for one message.",
    )
    mail_retention_days: float = knob(
        "OGEL_MAIL_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Messages that are over, and the keys that made them idempotent, are deleted after this.",
    )
    retention_days: float = knob(
        "OGEL_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Events and finished deliveries older than this are deleted.",
    )
    audit_retention_days: float = knob(
        "OGEL_AUDIT_RETENTION_DAYS",
        takes=real(0.01, 36500, "days"),
        default=90.0,
        meaning="Audit records older than this are deleted.",
    )
    sms_providers: tuple[str, ...] = knob(
        "OGEL_SMS_PROVIDERS",
        takes=choices("twilio", "vonage"),
        default=(),
        meaning="Who carries texts: the first is asked first, the next when it fails. None: no SMS.",
    )
    twilio_account_sid: str | None = knob(
        "TWILIO_ACCOUNT_SID", takes=text("an id (AC…)"), default=None, meaning="The account at Twilio."
    )
    twilio_auth_token: str | None = knob(
        "TWILIO_AUTH_TOKEN", takes=text("a token"), default=None, meaning="Its token.", secret=True
    )
    twilio_from: str | None = knob(
        "TWILIO_FROM",
        takes=text("a number, a sender id or a messaging service (MG…)"),
        default=None,
        meaning="Whom texts by Twilio come from.",
    )
    twilio_url: str = knob(
        "OGEL_TWILIO_URL",
        takes=endpoint(),
        default="https://api.twilio.com",
        meaning="Where Twilio's API is; another region has another one.",
    )
    vonage_api_key: str | None = knob(
        "VONAGE_API_KEY", takes=text("a key"), default=None, meaning="The account at Vonage."
    )
    vonage_api_secret: str | None = knob(
        "VONAGE_API_SECRET", takes=text("a secret"), default=None, meaning="Its secret.", secret=True
    )
    vonage_from: str | None = knob(
        "VONAGE_FROM",
        takes=text("a number or a sender id"),
        default=None,
        meaning="Whom texts by Vonage come from.",
    )
    vonage_url: str = knob(
        "OGEL_VONAGE_URL",
        takes=endpoint(),
        default="https://rest.nexmo.com",
        meaning="Where Vonage's SMS API is.",
    )
    fcm_service_account: Mapping[str, str] | None = knob(
        "OGEL_FCM_SERVICE_ACCOUNT",
        takes=service_account(),
        default=None,
        meaning="Who sends push by Firebase Cloud Messaging. None: no push to apps.",
        secret=True,
    )
    fcm_url: str = knob(
        "OGEL_FCM_URL",
        takes=endpoint(),
        default="https://fcm.googleapis.com",
        meaning="Where FCM's API is.",
    )
    vapid_private_key: str | None = knob(
        "OGEL_VAPID_PRIVATE_KEY",
        takes=vapid_key(),
        default=None,
        meaning="Who sends push to browsers; under another key they must subscribe anew. None: no Web Push.",
        secret=True,
    )
    vapid_subject: str | None = knob(
        "OGEL_VAPID_SUBJECT",
        takes=contact(),
        default=None,
        meaning="How push services reach whoever runs this.",
    )
    message_lifetime_seconds: int = knob(
        "OGEL_MESSAGE_LIFETIME_SECONDS",
        takes=whole(60, 28 * 86400, "seconds"),
        default=86400,
        meaning="A message that could not be sent for so long has failed.",
    )
    message_retention_days: float = knob(
        "OGEL_MESSAGE_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Messages that are over, and devices that are gone, are deleted when older than this.",
    )
    backup_keep: int = knob(
        "OGEL_BACKUP_KEEP",
        takes=whole(1, 1000),
        default=7,
        meaning="How many backups of the schedule `backups.create` are kept; what people asked for is not counted.",
    )
    dead_job_retention_days: float = knob(
        "OGEL_DEAD_JOB_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Dead jobs older than this are deleted; those of deliveries go with their delivery.",
    )
    key_retention_days: float = knob(
        "OGEL_KEY_RETENTION_DAYS",
        takes=real(0.01, 36500, "days"),
        default=365.0,
        meaning="API keys that were revoked or expired longer ago than this are deleted.",
    )
    scheduler_interval_seconds: float = knob(
        "OGEL_SCHEDULER_INTERVAL_SECONDS",
        takes=real(0.1, 60, "seconds"),
        default=1.0,
        meaning="How often the scheduler looks at its clock.",
    )
    usage_flush_seconds: float = knob(
        "OGEL_USAGE_FLUSH_SECONDS",
        takes=real(1, 60, "seconds"),
        default=30.0,
        meaning="How often a process writes down what it counted; a `kill -9` loses no more than that.",
    )
    usage_hours_days: float = knob(
        "OGEL_USAGE_HOURS_DAYS",
        takes=real(1, 3650, "days"),
        default=90.0,
        meaning="Usage per hour older than this is deleted.",
    )
    usage_days: float = knob(
        "OGEL_USAGE_DAYS",
        takes=real(31, 36500, "days"),
        default=1096.0,
        meaning="Usage per day older than this is deleted.",
    )
    resources_days: float = knob(
        "OGEL_RESOURCES_DAYS",
        takes=real(0.1, 3650, "days"),
        default=30.0,
        meaning="Samples of servers, queues and processes older than this are deleted.",
    )
    alert_queue_seconds: float = knob(
        "OGEL_ALERT_QUEUE_SECONDS",
        takes=real(1, 30 * 86400, "seconds"),
        default=300.0,
        meaning="Alert when a job has been due for longer, though nothing but workers holds it back.",
    )
    alert_dead_jobs: int = knob(
        "OGEL_ALERT_DEAD_JOBS",
        takes=whole(0, 10**9),
        default=100,
        meaning="Alert when a queue has more dead jobs.",
    )
    alert_open_breakers: int = knob(
        "OGEL_ALERT_OPEN_BREAKERS",
        takes=whole(0, 10**9),
        default=10,
        meaning="Alert when the breakers of more webhook endpoints are open.",
    )
    alert_disk_free: float = knob(
        "OGEL_ALERT_DISK_FREE",
        takes=real(0, 1, "a part of the whole"),
        default=0.1,
        meaning="Alert when less of the disk that holds OGEL_DATA_DIR is free.",
    )
    alert_connections: float = knob(
        "OGEL_ALERT_CONNECTIONS",
        takes=real(0, 1, "a part of the whole"),
        default=0.8,
        meaning="Alert when more of Postgres' max_connections are taken.",
    )
    alert_cache_hits: float = knob(
        "OGEL_ALERT_CACHE_HITS",
        takes=real(0, 1, "a part of the whole"),
        default=0.9,
        meaning="Alert when Postgres finds fewer of the blocks it needs in its cache.",
    )
    alert_memory_mb: int = knob(
        "OGEL_ALERT_MEMORY_MB",
        takes=whole(1, 10**7, "MiB"),
        default=1024,
        meaning="Alert when a process holds more resident memory, in MiB.",
    )
    alert_redis_memory: float = knob(
        "OGEL_ALERT_REDIS_MEMORY",
        takes=real(0, 1, "a part of the whole"),
        default=0.9,
        meaning="Alert when Redis has used more of its maxmemory.",
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
    schedule_least_seconds: int = knob(
        "OGEL_SCHEDULE_LEAST_SECONDS",
        takes=whole(1, 60, "seconds"),
        default=60,
        meaning="Between two ticks of a user's schedule; for tests, which cannot wait a minute.",
    )

    def of(self, section: type[Section]) -> Section:
        return section(**{name: getattr(self, field) for name, field in _FIELDS[section.__name__].items()})

    @property
    def embedded(self) -> bool:
        """`ogel up` without a server's URL starts its own."""
        return self.database_url is None or self.redis_url is None


# Enough to build a platform that nothing is asked of but its manifests.
NOWHERE = Settings(
    database_url="postgresql://nowhere/none", redis_url="redis://nowhere", admin_key="0" * 24, secret="0" * 24
)


def with_local_mail(settings: Settings) -> Settings:
    """For embedded mode: without a provider, mail is written to files; unless it was said that nothing is wanted."""
    sender = "Ogel <ogel@ogel.invalid>" if settings.mail_from is None else settings.mail_from
    chosen = settings.mail_providers or configured_mail_providers(settings)
    if not chosen and settings.mail_providers is None:
        chosen = ("outbox",)
    return replace(settings, mail_providers=chosen, mail_from=sender)


def configured_mail_providers(settings: Settings) -> tuple[str, ...]:
    given = {"resend": settings.resend_api_key, "smtp": settings.smtp_url}
    return tuple(name for name, value in given.items() if value is not None)


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
