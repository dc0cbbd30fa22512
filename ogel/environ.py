"""Settings from the environment's variables, those included that platforms give in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ogel.kernel.errors import ConfigError
from ogel.knobs import Knob, choice, host_name, whole
from ogel.settings import Settings, configured_mail_providers

# How a Railway bucket calls its variables. Other programs use these words too: they count only for a bucket.
_BUCKET_NAMES = frozenset({"ENDPOINT", "BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"})
_BUCKET_NEEDS = ("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key")
# What each way of messaging cannot do without.
_SMS_NEEDS = {
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_from"),
    "vonage": ("vonage_api_key", "vonage_api_secret", "vonage_from"),
}
_PORT = whole(1, 65535)
_HOST = host_name()
_MAIL_NEEDS = {"resend": "RESEND_API_KEY", "smtp": "SMTP_URL"}
_SMTP_SCHEMES = {"starttls": "smtp", "tls": "smtps", "none": "smtp+plain"}
_SMTP_SECURITY = choice(*_SMTP_SCHEMES)
# OGEL_* variables of what stands beside the program: its tests, and railway/railway.py.
_OTHERS = ("OGEL_TEST_", "OGEL_RAILWAY_")


@dataclass(frozen=True, slots=True)
class Sourced:
    """Settings, and for each field the variable that gave it (None: the default)."""

    settings: Settings
    sources: Mapping[str, str | None]


def knobs() -> dict[str, Knob]:
    """By field of Settings, in their order."""
    return {field.name: field.metadata["knob"] for field in dataclasses.fields(Settings)}


def read_settings(environ: Mapping[str, str]) -> Sourced:
    """Raises ConfigError with one line for the first variable that is wrong. For empty ones see Knob."""
    given = {name: value for name, value in environ.items() if value.strip()}
    if given.get("STORAGE_BACKEND", "local").strip().lower() == "local":
        given = {name: value for name, value in given.items() if name not in _BUCKET_NAMES}
    values: dict[str, Any] = {}
    sources: dict[str, str | None] = {}
    for field, knob in knobs().items():
        source = next((name for name in knob.names if name in given), None)
        if source is not None:
            values[field] = knob.parsed(source, given[source])
        elif knob.empty is not None:
            source = next((name for name in knob.names if name in environ), None)
            values |= {} if source is None else {field: knob.empty}
        sources[field] = source
    if "database_url" not in values:
        _compose_database_url(given, values, sources)
    if "smtp_url" not in values:
        _compose_smtp_url(given, values, sources)
    _add_redis_password(given, values)
    _require_bucket(values)
    _require_messaging(values)
    settings = Settings(**values)
    _require_mail(settings)
    return Sourced(settings, sources)


def secrets_of(settings: Settings) -> list[str]:
    """Every secret among them; of URLs the passwords alone, as they are written there and as they are meant."""
    secrets: list[str] = []
    for field, knob in knobs().items():
        value = getattr(settings, field)
        if not knob.secret or value is None:
            continue
        texts = value.values() if isinstance(value, Mapping) else [value] if isinstance(value, str) else value
        for text in texts:
            secrets += _secrets_in(text)
    return secrets


def _secrets_in(text: str) -> list[str]:
    if "://" in text:
        parts = urlsplit(text)
        # A DSN of Sentry's has its key where others have a name.
        key = parts.username if parts.scheme in ("http", "https") else None
        return [secret for part in (parts.password, key) if part for secret in (part, unquote(part))]
    # Of PEM, each line tells of the key.
    return [line for line in text.splitlines() if not line.startswith("-----")]


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """`OGEL_*` variables that nothing reads: mistyped, or of another version."""
    known = {name for knob in knobs().values() for name in knob.names}
    return sorted(
        name
        for name in environ
        if name.startswith("OGEL_") and name not in known and not name.startswith(_OTHERS)
    )


def _compose_database_url(
    given: Mapping[str, str], values: dict[str, Any], sources: dict[str, str | None]
) -> None:
    """From the seed's POSTGRES_* or libpq's PG* variables."""
    for prefix, databases in (("POSTGRES_", ("POSTGRES_DATABASE", "POSTGRES_DB")), ("PG", ("PGDATABASE",))):
        host = given.get(f"{prefix}HOST")
        if host is None:
            continue
        port = Knob("", (), _PORT, "").parsed(f"{prefix}PORT", given.get(f"{prefix}PORT", "5432"))
        user = quote(given.get(f"{prefix}USER", "postgres"), safe="")
        password = quote(given.get(f"{prefix}PASSWORD", ""), safe="")
        database = quote(next((given[name] for name in databases if name in given), "postgres"), safe="")
        place = _place(f"{prefix}HOST", host)
        values["database_url"] = f"postgresql://{user}:{password}@{place}:{port}/{database}"
        sources["database_url"] = f"{prefix}HOST"
        return


def _compose_smtp_url(
    given: Mapping[str, str], values: dict[str, Any], sources: dict[str, str | None]
) -> None:
    """From SMTP_HOST, SMTP_PORT, SMTP_SECURE (starttls, tls, none), SMTP_USERNAME and SMTP_PASSWORD."""
    host = given.get("SMTP_HOST")
    if host is None:
        return
    security = Knob("", (), _SMTP_SECURITY, "").parsed("SMTP_SECURE", given.get("SMTP_SECURE", "starttls"))
    place = _place("SMTP_HOST", host)
    if "SMTP_PORT" in given:
        place += f":{Knob('', (), _PORT, '').parsed('SMTP_PORT', given['SMTP_PORT'])}"
    user, password = given.get("SMTP_USERNAME"), quote(given.get("SMTP_PASSWORD", ""), safe="")
    login = "" if user is None else f"{quote(user, safe='')}:{password}@"
    values["smtp_url"] = f"{_SMTP_SCHEMES[security]}://{login}{place}"
    sources["smtp_url"] = "SMTP_HOST"


def _place(name: str, host: str) -> str:
    """As URLs have it. A socket directory is a host, too; percent-encoded, libpq takes it for one."""
    if not (host.isascii() or host.startswith("/")):
        host = Knob("", (), _HOST, "").parsed(name, host)
    return f"[{host}]" if ":" in host else quote(host, safe="")


def _add_redis_password(given: Mapping[str, str], values: dict[str, Any]) -> None:
    password = given.get("REDIS_PASSWORD")
    url = values.get("redis_url")
    if password is None or url is None or urlsplit(url).password:
        return
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{parts.username or ''}:{quote(password, safe='')}@{host}"
    values["redis_url"] = urlunsplit(parts._replace(netloc=netloc))


def _require_bucket(values: Mapping[str, Any]) -> None:
    backend = values.get("storage_backend", "local")
    missing = [knobs()[field].name for field in _BUCKET_NEEDS if field not in values]
    if backend != "local" and missing:
        raise ConfigError(f"STORAGE_BACKEND is {backend}, which needs {', '.join(missing)} too")


def _require_messaging(values: Mapping[str, Any]) -> None:
    for provider in values.get("sms_providers", ()):
        missing = [knobs()[field].name for field in _SMS_NEEDS[provider] if field not in values]
        if missing:
            raise ConfigError(f"OGEL_SMS_PROVIDERS names {provider}, which needs {', '.join(missing)} too")
    if "vapid_private_key" in values and "vapid_subject" not in values:
        raise ConfigError("OGEL_VAPID_PRIVATE_KEY is set, which needs OGEL_VAPID_SUBJECT too")


def _require_mail(settings: Settings) -> None:
    configured = configured_mail_providers(settings)
    for name in settings.mail_providers or ():
        if name in _MAIL_NEEDS and name not in configured:
            raise ConfigError(f"OGEL_MAIL_PROVIDERS names {name}, which needs {_MAIL_NEEDS[name]} too")
