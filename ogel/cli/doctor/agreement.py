"""Settings that can be read one by one, and do not go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogel.cli.doctor.finding import Finding, ill
from ogel.cli.doctor.patient import Patient
from ogel.environ import knobs, value_of
from ogel.features.messaging.settings import MessagingSettings
from ogel.features.webhooks.settings import WebhooksSettings
from ogel.kernel.quantities import quantity
from ogel.knobs import Network
from ogel.settings import Settings

SUBJECT = "settings"
# What a process needs before it does anything; with less it would restart for ever.
_LEAST_MB = 64
_LOOPBACKS = ("localhost", "127.0.0.1", "::1")
_EVERYTHING = 1  # bits of a network that holds nearly every address


def look(patient: Patient) -> Sequence[Finding]:
    return [
        *_servers(patient),
        *_paths(patient.given),
        *_numbers(patient.given),
        *_networks(patient.given),
        *_guesses(patient.given),
        *_rest(patient),
    ]


def _servers(patient: Patient) -> Iterator[Finding]:
    database, redis = patient.misses("database_url"), patient.misses("redis_url")
    if database != redis:
        field, missing = ("redis_url", "DATABASE_URL") if database else ("database_url", "REDIS_URL")
        given = patient.variable(field) or knobs()[field].name
        server = "PostgreSQL" if database else "Redis"
        yield ill(
            SUBJECT,
            f"{given} is set and {missing} is not: `ogel up` starts a {server} of its own, everything else refuses",
            f"set {missing} too; or neither, for `ogel up` to start both",
        )


def _paths(settings: Settings) -> Iterator[Finding]:
    for field in ("data_dir", "postgres_bin", "redis_bin", "mail.templates"):
        path, name = value_of(settings, field), knobs()[field].name
        if path is not None and path.parts[:1] and path.parts[0].startswith("~"):
            yield ill(SUBJECT, f"{name} is {path}, in a directory that is called ~", "write the whole path")


def _numbers(settings: Settings) -> Iterator[Finding]:
    for lower, higher in (
        ("pool_min", "pool_max"),
        ("queue_soft_limit", "queue_hard_limit"),
        ("events.max_bytes", "max_body_bytes"),
    ):
        low, high = value_of(settings, lower), value_of(settings, higher)
        if low > high > 0:
            yield ill(
                SUBJECT,
                f"{_said(settings, lower)} is more than {_said(settings, higher)}, so it is never reached",
                f"lower {knobs()[lower].name}, or raise {knobs()[higher].name}",
            )
    if settings.drain_seconds < settings.of(WebhooksSettings).timeout_seconds:
        yield ill(
            SUBJECT,
            f"{_said(settings, 'drain_seconds')} is less than {_said(settings, 'webhooks.timeout_seconds')}: what is"
            " being sent at a restart may be sent twice",
            "raise OGEL_DRAIN_SECONDS",
        )
    if 0 < settings.worker_max_mb < _LEAST_MB:
        yield ill(
            SUBJECT,
            f"{_said(settings, 'worker_max_mb')} is less than a worker needs at rest, so it restarts for ever",
            "raise OGEL_WORKER_MAX_MB to 200 or more, or set it to 0",
        )


def _said(settings: Settings, field: str) -> str:
    knob = knobs()[field]
    return f"{knob.name} ({quantity(value_of(settings, field), knob.takes.unit)})"


def _networks(settings: Settings) -> Iterator[Finding]:
    if _everything(settings.trusted_proxies):
        yield ill(
            SUBJECT,
            "OGEL_TRUSTED_PROXIES holds every address: whoever asks may say which address asks",
            "name the networks of your proxies only",
        )
    if _everything(settings.webhook_allow_nets or ()):
        yield ill(
            SUBJECT,
            "OGEL_WEBHOOK_ALLOW_NETS holds every address: whoever makes endpoints reaches your private network",
            "name the networks that receivers are in",
        )


def _guesses(settings: Settings) -> Iterator[Finding]:
    for name, quotas in (
        ("OGEL_RATE_WRONG_KEYS", settings.rate_wrong_keys),
        ("OGEL_RATE_SIGN_IN", settings.rate_sign_in),
    ):
        if not quotas:
            yield ill(
                SUBJECT,
                f"{name} is off: whoever guesses may guess as fast as they like",
                "raise it instead: nobody who knows their secret meets it",
            )


def _everything(networks: Sequence[Network]) -> bool:
    return any(network.prefixlen <= _EVERYTHING for network in networks)


def _rest(patient: Patient) -> Iterator[Finding]:
    settings = patient.given
    s3 = [
        name
        for field, knob in knobs().items()
        if field.startswith("s3_")
        for name in (patient.variable(field),)
        if name and knob
    ]
    if s3 and settings.storage_backend == "local" and "storage_backend" not in patient.sourced.wrong:
        yield ill(
            SUBJECT,
            f"{', '.join(s3)} without STORAGE_BACKEND: objects and backups are kept in {settings.data_dir}",
            "set STORAGE_BACKEND=s3, or take them away",
        )
    tokens = {"twilio": "messaging.twilio_auth_token", "vonage": "messaging.vonage_api_secret"}
    for name, field in tokens.items():
        if name not in settings.of(MessagingSettings).sms_providers and patient.variable(field):
            yield ill(
                SUBJECT,
                f"{patient.variable(field)} is set, and OGEL_SMS_PROVIDERS does not name {name}: no text leaves",
                f"set OGEL_SMS_PROVIDERS={name}",
            )
    yield from _railway(patient)


def _railway(patient: Patient) -> Iterator[Finding]:
    if not patient.on_railway:
        return
    settings, volume = patient.given, patient.environ.get("RAILWAY_VOLUME_MOUNT_PATH")
    if settings.host in _LOOPBACKS:
        yield ill(
            SUBJECT,
            f"OGEL_HOST is {settings.host}: nobody outside of this container reaches that",
            "take OGEL_HOST away, or set it to ::",
        )
    keeps = patient.embedded or settings.storage_backend == "local"
    if keeps and (volume is None or not settings.data_dir.absolute().is_relative_to(volume)):
        yield ill(
            SUBJECT,
            f"OGEL_DATA_DIR ({settings.data_dir}) is on no volume: what is kept there is gone at the next deployment",
            "set DATABASE_URL, REDIS_URL and STORAGE_BACKEND, or mount a volume and set OGEL_DATA_DIR to it",
        )
