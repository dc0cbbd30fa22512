"""Settings: every name that works, every wrong value in one line, and no secret shown."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from ogel.environ import knobs, meant_by, read_settings, secrets_of, sections, unknown_names, value_of
from ogel.features.accounts.settings import AccountsSettings
from ogel.features.mail.settings import MailSettings
from ogel.features.messaging.settings import MessagingSettings
from ogel.kernel.errors import ConfigError
from ogel.settings import Settings, require

LONG = "0123456789abcdef01234567"
HELO_NAMES = "a full host name (mail.example.com), or an address: [192.0.2.1], [IPv6:2001:db8::1]"


def read(**environ: str) -> Settings:
    return read_settings(environ).settings


def local(settings: Settings) -> Settings:
    return settings.for_one_machine(sections().values())


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({}, "database_url", None),
        ({"DATABASE_URL": "postgres://u:p@h/d"}, "database_url", "postgres://u:p@h/d"),
        ({"DATABASE_URL": "postgresql:///d?host=/run/pg"}, "database_url", "postgresql:///d?host=/run/pg"),
        ({"DATABASE_URL": "postgresql://pooler/d", "DATABASE_UNPOOLED_URL": "postgresql://h/d"}, "database_url",
         "postgresql://h/d"),
        ({"POSTGRES_HOST": "h", "POSTGRES_PORT": "5433", "POSTGRES_DATABASE": "d", "POSTGRES_USER": "u",
          "POSTGRES_PASSWORD": "p@s/s:w%"}, "database_url", "postgresql://u:p%40s%2Fs%3Aw%25@h:5433/d"),
        ({"POSTGRES_HOST": "h", "POSTGRES_DB": "d"}, "database_url", "postgresql://postgres:@h:5432/d"),
        ({"PGHOST": "h", "PGUSER": "u", "PGPASSWORD": "p", "PGDATABASE": "d", "PGPORT": "6000"}, "database_url",
         "postgresql://u:p@h:6000/d"),
        ({"PGHOST": "fd12::1"}, "database_url", "postgresql://postgres:@[fd12::1]:5432/postgres"),
        ({"PGHOST": "/run/postgresql"}, "database_url", "postgresql://postgres:@%2Frun%2Fpostgresql:5432/postgres"),
        ({"DATABASE_URL": "postgresql://h/d", "PGHOST": "other"}, "database_url", "postgresql://h/d"),
        ({"REDIS_URL": "redis://h:1/2", "REDIS_INTERNAL_URL": "redis://other"}, "redis_url", "redis://h:1/2"),
        ({"REDIS_INTERNAL_URL": "redis://h:6379"}, "redis_url", "redis://h:6379"),
        ({"REDIS_URL": "redis://h:6379?family=0"}, "redis_url", "redis://h:6379"),
        ({"REDIS_URL": "redis://h:6379/1?family=0&protocol=3"}, "redis_url", "redis://h:6379/1?protocol=3"),
        ({"REDIS_URL": "redis://h:6379", "REDIS_PASSWORD": "p@ss"}, "redis_url", "redis://:p%40ss@h:6379"),
        ({"REDIS_URL": "rediss://u@h:6379/1", "REDIS_PASSWORD": "p"}, "redis_url", "rediss://u:p@h:6379/1"),
        ({"REDIS_URL": "redis://u:own@h", "REDIS_PASSWORD": "p"}, "redis_url", "redis://u:own@h"),
        ({"REDIS_PASSWORD": "p"}, "redis_url", None),
        ({"MONGO_URL": "mongodb://a:1,b:2/d"}, "mongo_url", "mongodb://a:1,b:2/d"),
        ({"MONGODB_INTERNAL_URL": "mongodb://mongodb.railway.internal:27017"}, "mongo_url",
         "mongodb://mongodb.railway.internal:27017"),
        ({"PORT": "0"}, "port", 0),
        ({"PORT": " 80 "}, "port", 80),
        ({"PORT": ""}, "port", 8080),
        ({"PORT": "  "}, "port", 8080),
        ({"LOG_LEVEL": "WARNING"}, "log_level", "warning"),
        ({"SENTRY_DSN": "https://key@o1.ingest.sentry.io/2"}, "sentry_dsn", "https://key@o1.ingest.sentry.io/2"),
        ({"WORKER_QUEUES": "webhooks, audit,,"}, "worker_queues", ("webhooks", "audit")),
        ({"OGEL_DATA_DIR": "/data"}, "data_dir", Path("/data")),
        ({"OGEL_AUTO_MIGRATE": "Off"}, "auto_migrate", False),
        ({"OGEL_WEBHOOK_ALLOW_NETS": "127.0.0.1/8,::1"}, "webhook_allow_nets",
         (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))),
        ({"SMTP_HOST": "h"}, "mail.smtp_url", "smtp://h"),
        ({"SMTP_HOST": "::1", "SMTP_PORT": "25", "SMTP_SECURE": "none", "SMTP_USERNAME": "u@x", "SMTP_PASSWORD": "p/w"},
         "mail.smtp_url", "smtp+plain://u%40x:p%2Fw@[::1]:25"),
        ({"SMTP_HOST": "h", "SMTP_URL": "smtps://other"}, "mail.smtp_url", "smtps://other"),
        ({"OGEL_MAIL_PROVIDERS": "Outbox, smtp", "SMTP_HOST": "h"}, "mail.providers", ("outbox", "smtp")),
        ({"OGEL_MAIL_HELO": "Mail.Example.com"}, "mail.helo", "mail.example.com"),
        ({"OGEL_MAIL_HELO": "[192.0.2.1]"}, "mail.helo", "[192.0.2.1]"),
        ({"OGEL_MAIL_HELO": "[ipv6:2001:DB8::1]"}, "mail.helo", "[IPv6:2001:db8::1]"),
        ({"OGEL_MAIL_FROM": "Ogel <mail@Example.com>"}, "mail.sender", "Ogel <mail@example.com>"),
        ({"OGEL_WEBHOOK_RETRY_DELAYS": "0.05, 1,60"}, "webhooks.retry_delays", (0.05, 1.0, 60.0)),
    ],
)  # fmt: skip
def test_every_name_works(environ: dict[str, str], field: str, value: Any) -> None:
    assert value_of(read(**environ), field) == value


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("PORT", "http", "0 to 65535"),
        ("PORT", "65536", "0 to 65535"),
        ("PORT", "-1", "0 to 65535"),
        ("PORT", "8_080", "0 to 65535"),
        ("PORT", "\uff18\uff10", "0 to 65535"),
        ("LOG_LEVEL", "verbose", "debug, info, warning or error"),
        ("OGEL_AUTO_MIGRATE", "maybe", "true or false"),
        ("OGEL_DRAIN_SECONDS", "nan", "seconds, 0 to 600"),
        ("OGEL_DRAIN_SECONDS", "inf", "seconds, 0 to 600"),
        ("OGEL_DRAIN_SECONDS", "30s", "seconds, 0 to 600"),
        ("OGEL_POOL_MAX", "1", "2 to 500"),
        ("OGEL_WEBHOOK_ALLOW_NETS", "10.0.0.0/33", "networks such as 10.0.0.0/8, comma separated"),
        ("OGEL_WEBHOOK_ALLOW_NETS", "localhost", "networks such as 10.0.0.0/8, comma separated"),
        (
            "OGEL_WEBHOOK_RETRY_DELAYS",
            ",",
            "1 to 50 numbers of seconds, 0 to 604800 (7 days), comma separated",
        ),
        (
            "OGEL_WEBHOOK_RETRY_DELAYS",
            "1;2",
            "1 to 50 numbers of seconds, 0 to 604800 (7 days), comma separated",
        ),
        ("STORAGE_BACKEND", "gcs", "local, s3, r2, railway, b2 or minio"),
        ("OGEL_MAIL_PROVIDERS", "sendmail", "any of resend, smtp, outbox, each once, comma separated"),
        ("OGEL_MAIL_HELO", "vm", HELO_NAMES),
        ("OGEL_MAIL_HELO", "-a.example", HELO_NAMES),
        ("OGEL_MAIL_HELO", "192.0.2.1", HELO_NAMES),
        ("OGEL_MAIL_HELO", "[192.0.2.256]", HELO_NAMES),
        ("OGEL_MAIL_HELO", "[2001:db8::1]", HELO_NAMES),
        ("OGEL_MAIL_HELO", "a.example\r\nMAIL", HELO_NAMES),
        ("OGEL_MAIL_HELO", "é.example", HELO_NAMES),
        ("OGEL_MAIL_FROM", "nobody", "name@example.com or Name <name@example.com>"),
        ("PGPORT", "x", "1 to 65535"),
        ("POSTGRES_PORT", "0", "1 to 65535"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(name: str, value: str, takes: str) -> None:
    environ = {"PGHOST": "h"} if name == "PGPORT" else {"POSTGRES_HOST": "h"}
    with pytest.raises(ConfigError) as caught:
        read(**{**environ, name: value})
    assert caught.value.message == f"{name} got {value!r}; it takes {takes}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("DATABASE_URL", "u:hunter2@h/d"),
        ("DATABASE_URL", "postgresql://u:hunter2@h:port/d"),
        ("DATABASE_UNPOOLED_URL", "hunter2"),
        ("REDIS_URL", "http://u:hunter2@h"),
        ("REDIS_INTERNAL_URL", "hunter2:6379"),
        ("MONGO_URL", "postgres://u:hunter2@h"),
        ("SMTP_URL", "http://u:hunter2@h"),
        ("SENTRY_DSN", "hunter2"),
        ("SENTRY_DSN", "https://sentry.example/1"),
        ("SENTRY_DSN", "https://hunter2@sentry.example/"),
    ],
)
def test_a_wrong_secret_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{name: value})
    assert caught.value.message.startswith(f"{name} got ")
    assert "; it takes " in caught.value.message
    assert "hunter2" not in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.__context__ is None  # nor in a traceback


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {},
            "OGEL_ADMIN_KEY is not set; it takes 24 characters or more\n"
            "OGEL_SECRET is not set; it takes 24 characters or more",
        ),
        (
            {"OGEL_ADMIN_KEY": "short"},
            "OGEL_ADMIN_KEY got 5 characters (hidden); it takes 24 characters or more",
        ),
        ({"OGEL_ADMIN_KEY": LONG}, "OGEL_SECRET is not set; it takes 24 characters or more"),
        ({"OGEL_SECRET": "x" * 23}, "OGEL_SECRET got 23 characters (hidden); it takes 24 characters or more"),
    ],
)
def test_missing_and_short_secrets_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        require(read(**environ), "admin_key", "secret")
    assert caught.value.message == message


def test_secrets_long_enough_are_taken() -> None:
    require(read(OGEL_ADMIN_KEY=LONG, OGEL_SECRET=LONG), "admin_key", "secret")


def test_missing_servers_are_named() -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_URL is not set.*\nREDIS_URL is not set.*$"):
        require(read(), "database_url", "redis_url")
    with pytest.raises(ConfigError, match=r"^REDIS_URL is not set.*$"):
        require(read(DATABASE_URL="postgresql://h/d"), "database_url", "redis_url")


BUCKET = {"S3_ENDPOINT": "https://r2.example", "S3_BUCKET": "b", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "s"}
RAILWAY = {"ENDPOINT": "https://storage.example", "BUCKET": "b", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s",
           "REGION": "auto"}  # fmt: skip


def test_a_bucket_by_either_set_of_names() -> None:
    ours = read(STORAGE_BACKEND="r2", **BUCKET)
    assert (ours.s3_endpoint, ours.s3_bucket, ours.s3_region) == ("https://r2.example", "b", "auto")
    railways = read(STORAGE_BACKEND="S3", **RAILWAY)
    assert (railways.storage_backend, railways.s3_region) == ("s3", "auto")
    assert (railways.s3_endpoint, railways.s3_access_key) == ("https://storage.example", "a")


@pytest.mark.parametrize("missing", sorted(BUCKET))
def test_half_a_bucket_is_refused(missing: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(STORAGE_BACKEND="minio", **{name: value for name, value in BUCKET.items() if name != missing})
    assert caught.value.message == f"STORAGE_BACKEND is minio, which needs {missing} too"


@pytest.mark.parametrize(
    ("backend", "given", "endpoint", "region", "style"),
    [
        ("s3", {}, "https://s3.us-east-1.amazonaws.com", "us-east-1", "path"),
        ("s3", {"S3_REGION": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com", "eu-west-1", "path"),
        ("s3", {"S3_ENDPOINT": "http://weed:8333"}, "http://weed:8333", "us-east-1", "path"),
        ("r2", {"S3_ENDPOINT": "https://1.r2.example"}, "https://1.r2.example", "auto", "path"),
        ("railway", {}, "https://storage.railway.app", "auto", "virtual"),
        ("railway", {"AWS_S3_URL_STYLE": "path", "AWS_DEFAULT_REGION": "iad"},
         "https://storage.railway.app", "iad", "path"),
        ("b2", {"S3_REGION": "us-west-004"}, "https://s3.us-west-004.backblazeb2.com", "us-west-004", "path"),
        ("b2", {"S3_ENDPOINT": "https://s3.eu-central-003.backblazeb2.com"},
         "https://s3.eu-central-003.backblazeb2.com", "eu-central-003", "path"),
        ("minio", {"S3_ENDPOINT": "http://minio:9000"}, "http://minio:9000", "us-east-1", "path"),
    ],
)  # fmt: skip
def test_what_is_known_of_a_service_need_not_be_said(
    backend: str, given: dict[str, str], endpoint: str, region: str, style: str
) -> None:
    keys = {"AWS_S3_BUCKET_NAME": "b", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    found = read(STORAGE_BACKEND=backend, **keys, **given)
    assert (found.s3_endpoint, found.s3_region, found.s3_url_style) == (endpoint, region, style)
    assert (found.s3_bucket, found.s3_access_key, found.s3_secret_key) == ("b", "a", "s")


@pytest.mark.parametrize("backend", ["b2", "r2"])
def test_what_is_not_known_of_a_service_is_asked_for(backend: str) -> None:
    keys = {"S3_BUCKET": "b", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "s"}
    with pytest.raises(ConfigError, match=f"STORAGE_BACKEND is {backend}, which needs S3_ENDPOINT"):
        read(STORAGE_BACKEND=backend, **keys)


MESSAGING = {
    "twilio": {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+15005550006"},
    "vonage": {"VONAGE_API_KEY": "k", "VONAGE_API_SECRET": "s", "VONAGE_FROM": "Ogel"},
}
VAPID = "PcoRlGzER0aMU8bf1xOre2dqxskRY38aPhW-RBlWneY"
ACCOUNT = {"project_id": "p", "client_email": "e", "private_key": "-----BEGIN x", "token_uri": "https://t/"}


def test_messaging_is_off_until_it_is_set_up() -> None:
    assert read(**MESSAGING["twilio"]).of(MessagingSettings).sms_providers == ()
    both = read(OGEL_SMS_PROVIDERS="Vonage, twilio", **MESSAGING["twilio"], **MESSAGING["vonage"])
    assert both.of(MessagingSettings).sms_providers == ("vonage", "twilio")
    account = (
        read(OGEL_FCM_SERVICE_ACCOUNT=json.dumps({**ACCOUNT, "universe": 1}))
        .of(MessagingSettings)
        .fcm_service_account
    )
    assert account == ACCOUNT


@pytest.mark.parametrize(
    ("provider", "missing"), [(provider, name) for provider, names in MESSAGING.items() for name in names]
)
def test_half_a_provider_is_refused(provider: str, missing: str) -> None:
    given = {name: value for name, value in MESSAGING[provider].items() if name != missing}
    with pytest.raises(ConfigError) as caught:
        read(OGEL_SMS_PROVIDERS=provider, **given)
    assert caught.value.message == f"OGEL_SMS_PROVIDERS names {provider}, which needs {missing} too"


def test_a_vapid_key_needs_a_subject() -> None:
    with pytest.raises(ConfigError, match=r"which needs OGEL_VAPID_SUBJECT too$"):
        read(OGEL_VAPID_PRIVATE_KEY=VAPID)
    assert (
        read(OGEL_VAPID_PRIVATE_KEY=VAPID, OGEL_VAPID_SUBJECT="mailto:a@b.de")
        .of(MessagingSettings)
        .vapid_private_key
        == VAPID
    )


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ("mailto:ops@example.com", "mailto:ops@example.com"),
        ("MAILTO:ops+push@Example.com", "mailto:ops+push@example.com"),
        ("mailto:ops@straße.example", "mailto:ops@xn--strae-oqa.example"),
        ("https://example.com/contact?a=b", "https://example.com/contact?a=b"),
        ("https://straße.example:8443/", "https://xn--strae-oqa.example:8443/"),
    ],
)
def test_a_contact_can_be_reached(given: str, subject: str) -> None:
    assert read(OGEL_VAPID_SUBJECT=given).of(MessagingSettings).vapid_subject == subject


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"DATABASE_URL": "postgresql://u:ä@straße.example:1/d"}, "database_url",
         "postgresql://u:%C3%A4@xn--strae-oqa.example:1/d"),
        ({"DATABASE_URL": "postgres://stra%C3%9Fe.example/d"}, "database_url", "postgres://xn--strae-oqa.example/d"),
        ({"DATABASE_URL": "postgresql://%2Frun%2Fstraße/d"}, "database_url", "postgresql://%2Frun%2Fstraße/d"),
        ({"POSTGRES_HOST": "ΒΌΛΟΣ.com"}, "database_url", "postgresql://postgres:@xn--nxasmq6b.com:5432/postgres"),
        ({"PGHOST": "/run/ä"}, "database_url", "postgresql://postgres:@%2Frun%2F%C3%A4:5432/postgres"),
        ({"REDIS_URL": "rediss://:x@straße。example:6379/1"}, "redis_url", "rediss://:x@xn--strae-oqa.example:6379/1"),
        ({"MONGO_URL": "mongodb://a.example:1,straße.example:2,[::1]:3/x?y=z"}, "mongo_url",
         "mongodb://a.example:1,xn--strae-oqa.example:2,[::1]:3/x"),
        ({"S3_ENDPOINT": "https://straße.example"}, "s3_endpoint", "https://xn--strae-oqa.example"),
        ({"OGEL_EGRESS_PROXY": "http://straße.example:3128"}, "egress_proxy", "http://xn--strae-oqa.example:3128"),
        ({"SMTP_URL": "smtps://straße.example"}, "mail.smtp_url", "smtps://xn--strae-oqa.example"),
        ({"SMTP_HOST": "straße.example"}, "mail.smtp_url", "smtp://xn--strae-oqa.example"),
        ({"RESEND_BASE_URL": "https://straße.example/"}, "mail.resend_url", "https://xn--strae-oqa.example/"),
        ({"SENTRY_DSN": "https://k@straße.example/1"}, "sentry_dsn", "https://k@xn--strae-oqa.example/1"),
        ({"RAILWAY_PRIVATE_DOMAIN": "Straße.railway.internal."}, "private_domain",
         "xn--strae-oqa.railway.internal"),
        ({"RAILWAY_PUBLIC_DOMAIN": "fd12::1"}, "public_domain", "fd12::1"),
        ({"OGEL_MAIL_FROM": "Ann <a@straße.example>"}, "mail.sender", "Ann <a@xn--strae-oqa.example>"),
    ],
)  # fmt: skip
def test_hosts_are_ascii_before_anything_gets_them(environ: dict[str, str], field: str, value: str) -> None:
    """Most of what connects for us would make another domain of them."""
    assert value_of(read(**environ), field) == value


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": "postgresql:///d?host=straße.example"},
        {"DATABASE_URL": "postgresql://💩.la/d"},
        {"POSTGRES_HOST": "💩.la"},
        {"REDIS_URL": "redis://a\u200db.example"},
        {"REDIS_URL": "redis://stra\tße.example"},
        {"SMTP_HOST": "💩.la"},
        {"RAILWAY_PUBLIC_DOMAIN": "https://example.com"},
    ],
)
def test_a_host_that_is_none_is_refused(environ: dict[str, str]) -> None:
    [name] = environ
    with pytest.raises(ConfigError) as caught:
        read(**environ)
    assert caught.value.message.startswith(f"{name} got ")


def test_the_token_address_of_a_service_account_is_ascii() -> None:
    account = json.dumps({**ACCOUNT, "token_uri": "https://straße.example/t"})
    found = read(OGEL_FCM_SERVICE_ACCOUNT=account).of(MessagingSettings).fcm_service_account
    assert found is not None and found["token_uri"] == "https://xn--strae-oqa.example/t"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OGEL_SMS_PROVIDERS", "twilio,twilio"),
        ("OGEL_SMS_PROVIDERS", "carrier pigeon"),
        ("OGEL_VAPID_PRIVATE_KEY", VAPID[:-2]),
        ("OGEL_VAPID_PRIVATE_KEY", "A" * 43),
        ("OGEL_VAPID_PRIVATE_KEY", "_" * 43),
        ("OGEL_VAPID_PRIVATE_KEY", "é" * 43),
        ("OGEL_VAPID_SUBJECT", "a@b"),
        ("OGEL_VAPID_SUBJECT", "mailto:nobody"),
        ("OGEL_VAPID_SUBJECT", "https:///path"),
        ("OGEL_VAPID_SUBJECT", "mailto: x"),
        ("OGEL_VAPID_SUBJECT", "mailto: ops@example.com"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@localhost"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@app.localhost"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@host.local"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@ogel.invalid"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@127.0.0.1"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@[127.0.0.1]"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@example.com?subject=x"),
        ("OGEL_VAPID_SUBJECT", "mailto:ops@example.com,dev@example.com"),
        ("OGEL_VAPID_SUBJECT", "mailto:öps@example.com"),
        ("OGEL_VAPID_SUBJECT", "mailto://ops@example.com"),
        ("OGEL_VAPID_SUBJECT", "mailto:"),
        ("OGEL_VAPID_SUBJECT", "ops@example.com"),
        ("OGEL_VAPID_SUBJECT", "http://example.com/"),
        ("OGEL_VAPID_SUBJECT", "https://localhost/"),
        ("OGEL_VAPID_SUBJECT", "https://localhost:8443/"),
        ("OGEL_VAPID_SUBJECT", "https://api.railway.internal/"),
        ("OGEL_VAPID_SUBJECT", "https://203.0.113.5/"),
        ("OGEL_VAPID_SUBJECT", "https://[2001:db8::1]/"),
        ("OGEL_VAPID_SUBJECT", "https://0x7f.1/"),
        ("OGEL_VAPID_SUBJECT", "https://ops@example.com/"),
        ("OGEL_VAPID_SUBJECT", "https://example.com:port/"),
        ("OGEL_VAPID_SUBJECT", "https://example.com/ö"),
        ("OGEL_FCM_SERVICE_ACCOUNT", "/etc/key.json"),
        ("OGEL_FCM_SERVICE_ACCOUNT", "[1]"),
        ("OGEL_FCM_SERVICE_ACCOUNT", json.dumps({**ACCOUNT, "private_key": "hunter2"})),
        ("OGEL_FCM_SERVICE_ACCOUNT", json.dumps({**ACCOUNT, "token_uri": "file:///etc/passwd"})),
        ("OGEL_FCM_SERVICE_ACCOUNT", json.dumps({**ACCOUNT, "project_id": 7})),
        ("OGEL_TWILIO_URL", "api.twilio.com"),
    ],
)
def test_a_wrong_way_to_send_messages_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{name: value})
    assert caught.value.message.startswith(f"{name} got ") and "; it takes " in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_provider_of_mail_without_its_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="OGEL_MAIL_PROVIDERS names resend, which needs RESEND_API_KEY too"):
        read(OGEL_MAIL_PROVIDERS="outbox,resend")


def test_embedded_mail_goes_to_files_unless_something_else_is_configured() -> None:
    assert local(read()).of(MailSettings).providers == ("outbox",)
    assert local(read(SMTP_HOST="h")).of(MailSettings).providers == ("smtp",)
    assert local(read(OGEL_MAIL_FROM="a@b.de")).of(MailSettings).sender == "a@b.de"


def test_nothing_is_a_choice_where_embedded_mode_would_choose_something() -> None:
    """Everywhere else an empty variable counts as not set."""
    for empty in ("", "  "):
        nothing = read(OGEL_WEBHOOK_ALLOW_NETS=empty, OGEL_MAIL_PROVIDERS=empty, OGEL_MAIL_FROM=empty)
        assert nothing.webhook_allow_nets == ()
        made = local(nothing)
        assert (made.of(MailSettings).providers, made.of(MailSettings).sender) == ((), "")
    assert read(OGEL_MAIL_PROVIDERS="", MAIL_PROVIDER="outbox").of(MailSettings).providers == ("outbox",)
    assert local(read(OGEL_MAIL_PROVIDERS="", SMTP_HOST="h")).of(MailSettings).providers == ("smtp",)
    assert read(OGEL_HOST="", OGEL_SECRET="", DATABASE_URL="", WORKER_QUEUES="") == read()
    sources = read_settings({"OGEL_WEBHOOK_ALLOW_NETS": "", "OGEL_HOST": ""}).sources
    assert (sources["webhook_allow_nets"], sources["host"]) == ("OGEL_WEBHOOK_ALLOW_NETS", None)


def test_common_words_are_not_taken_for_a_bucket_unasked() -> None:
    assert read(ENDPOINT="not a url", REGION="eu") == read()


def test_sources_name_the_variable() -> None:
    sources = read_settings({"POSTGRES_HOST": "h", "REDIS_INTERNAL_URL": "redis://r", "PORT": ""}).sources
    assert sources["database_url"] == "POSTGRES_HOST"
    assert sources["redis_url"] == "REDIS_INTERNAL_URL"
    assert sources["port"] is None
    assert sources.keys() == knobs().keys()


def test_mistyped_names_are_found() -> None:
    environ = {
        "OGEL_SECRETS": "",
        "OGEL_SECRET": "",
        "OGEL_TEST_BACKEND": "",
        "OGEL_RAILWAY_LAYOUT": "",
        "X": "",
    }
    assert unknown_names(environ) == ["OGEL_SECRETS"]


@pytest.mark.parametrize("field", sorted(knobs()))
def test_every_knob_is_explained_and_its_default_is_one_it_takes(field: str) -> None:
    knob = knobs()[field]
    assert knob.name in knob.names
    assert knob.meaning.endswith(".")
    default = value_of(Settings(), field)
    if isinstance(default, tuple):
        written = ",".join(map(str, default))
        assert not written or knob.parsed(knob.name, written) == default
    elif default is not None:
        assert knob.parsed(knob.name, str(default)) == default


def test_the_secrets_among_them() -> None:
    account = {
        "project_id": "p",
        "client_email": "e",
        "token_uri": "https://t",
        "private_key": "-----BEGIN\nline-of-key\n",
    }
    secrets = secrets_of(
        read(
            DATABASE_URL="postgresql://me:p%40ss@h/d",
            REDIS_URL="redis://:other@h",
            SMTP_URL="smtp://me@h",
            SENTRY_DSN="https://dsn-key@h/1",
            OGEL_EGRESS_PROXY="http://who:proxy-pass@h:1",
            OGEL_SECRET=LONG,
            OGEL_SECRET_OLD=f"{LONG}a,{LONG}b",
            RESEND_API_KEY="re_1",
            OGEL_FCM_SERVICE_ACCOUNT=json.dumps(account),
            S3_ACCESS_KEY="access",
            TWILIO_ACCOUNT_SID="AC1",
        )
    )
    known = {
        "p%40ss",
        "p@ss",
        "other",
        "dsn-key",
        "proxy-pass",
        LONG,
        f"{LONG}a",
        f"{LONG}b",
        "re_1",
        "line-of-key",
        "access",
    }
    assert known <= set(secrets)
    assert not {"me", "h", "AC1", "-----BEGIN"} & set(secrets)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OGEL_PORT", "PORT"),
        ("OGEL_DATABASE_URL", "DATABASE_URL"),
        ("OGEL_REDIS_URL", "REDIS_URL"),
        ("OGEL_SMTP_URL", "SMTP_URL"),
        ("OGEL_LOG_LEVEL", "LOG_LEVEL"),
        ("OGEL_LOGLEVEL", "LOG_LEVEL"),
        ("OGEL_WORKER_QUEUE", "WORKER_QUEUES"),
        ("OGEL_SECRETS", "OGEL_SECRET"),
        ("OGEL_TLS", None),
    ],
)
def test_a_name_is_known_with_a_prefix_that_it_has_not(written: str, meant: str | None) -> None:
    assert meant_by(written) == meant


def test_links_in_mail_lead_to_the_port_of_ones_own_machine() -> None:
    def url(**environ: str) -> str:
        return local(read(**environ)).of(AccountsSettings).external_url

    assert url(PORT="8497") == "http://localhost:8497/auth/v1"
    assert url(PORT="0") == url() == "http://localhost:8080/auth/v1"
    assert url(PORT="8497", OGEL_AUTH_URL="https://api.example.com") == "https://api.example.com/auth/v1"
