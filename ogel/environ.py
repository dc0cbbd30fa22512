"""Settings from the environment's variables, those included that platforms give in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from ogel.kernel.errors import ConfigError
from ogel.knobs import Knob, Section, host_or_socket, needs, piece, place, whole
from ogel.platform import features
from ogel.runtime import bucket_presets
from ogel.runtime.server_urls.parts import ServerUrl
from ogel.settings import Settings

# How a Railway bucket calls its variables. Other programs use these words too: they count only for a bucket.
_BUCKET_NAMES = frozenset(
    {
        *("ENDPOINT", "BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"),
        *("AWS_ENDPOINT_URL", "AWS_S3_BUCKET_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_DEFAULT_REGION", "AWS_S3_URL_STYLE"),
    }
)
_BUCKET_NEEDS = ("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key", "s3_region")
_PORT = whole(1, 65535, "port")
_HOST = host_or_socket("a host's name or address")
_CLOSE = 0.8
# What commands speak to (see cli/profiles.py): no process is set by them.
OF_CLIENTS = frozenset({"OGEL_URL", "OGEL_KEY", "OGEL_PROFILE"})
# What railway/railway.py is told.
OF_RAILWAY_PY = frozenset(
    {
        "OGEL_RAILWAY_AUTH",
        "OGEL_RAILWAY_BRANCH",
        "OGEL_RAILWAY_BUCKET",
        "OGEL_RAILWAY_IMAGE",
        "OGEL_RAILWAY_KEEP",
        "OGEL_RAILWAY_LAYOUT",
        "OGEL_RAILWAY_POSTGRES",
        "OGEL_RAILWAY_REDIS",
        "OGEL_RAILWAY_REGION",
        "OGEL_RAILWAY_REPO",
    }
)
# OGEL_* variables of the program's tests.
_OTHERS = ("OGEL_TEST_",)


# What took the place of settings that are gone.
GONE = {
    "OGEL_BACKUP_CRON": "OGEL_SCHEDULES=backups.create=<cron>",
    "OGEL_CLEANUP_CRON": "OGEL_SCHEDULES=cleanup.*=<cron>",
    "OGEL_CLEANUP_OFF": "OGEL_SCHEDULES=cleanup.<name>=off",
    "OGEL_DATABASE_CHECK_MINUTES": "OGEL_SCHEDULES=databases.check_all=*/<minutes> * * * *",
}


class Sourced(Struct, frozen=True):
    """
    Settings, and for each field the variable that gave it (None: the default). `mistakes` are one line each, and the
    fields they are about, `wrong`, have their defaults. `ignored`: by variable, what of its value means nothing here.
    """

    settings: Settings
    sources: Mapping[str, str | None]
    mistakes: Sequence[str] = ()
    wrong: frozenset[str] = frozenset()
    ignored: Mapping[str, Sequence[str]] = {}


def sections() -> dict[str, type[Section]]:
    """Those of features, by the feature's name."""
    found = (line for line in features.FEATURES if "settings" in line.brings)
    return {line.name.partition(".")[0]: line.section() for line in found}


@cache
def knobs() -> dict[str, Knob]:
    """By field, in their order; one of a section is called with its feature: `mail.sender`."""
    found = _knobs_of(Settings)
    for name, section in sections().items():
        found |= {f"{name}.{field}": knob for field, knob in _knobs_of(section).items()}
    return found


def _knobs_of(owner: type[Settings] | type[Section]) -> dict[str, Knob]:
    fields = dataclasses.fields(owner)  # type: ignore[arg-type]
    return {field.name: field.metadata["knob"] for field in fields if "knob" in field.metadata}


def value_of(settings: Settings, field: str) -> Any:
    """Of a field as `knobs` calls it."""
    feature, _, name = field.rpartition(".")
    return getattr(settings.of(sections()[feature]) if feature else settings, name)


def read_settings(environ: Mapping[str, str]) -> Sourced:
    """Raises ConfigError with one line for each variable that is wrong. For empty ones see Knob."""
    sourced = read_what_can_be_read(environ)
    if sourced.mistakes:
        raise ConfigError("\n".join(sourced.mistakes))
    return sourced


def read_what_can_be_read(environ: Mapping[str, str]) -> Sourced:
    given = {name: value for name, value in environ.items() if value.strip()}
    if given.get("STORAGE_BACKEND", "local").strip().lower() == "local":
        given = {name: value for name, value in given.items() if name not in _BUCKET_NAMES}
    values: dict[str, Any] = {}
    sources: dict[str, str | None] = {}
    ignored: dict[str, Sequence[str]] = {}
    mistakes = _Mistakes()
    for name, knob in knobs().items():
        source = next((each for each in knob.names if each in given), None)
        sources[name] = source
        if source is not None:
            with mistakes.about(name):
                values[name] = knob.parsed(source, given[source])
                if parts := knob.takes.ignored(given[source].strip()):
                    ignored[source] = parts
        elif knob.empty is not None and (
            empty := next((each for each in knob.names if each in environ), None)
        ):
            sources[name], values[name] = empty, knob.empty
    if sources["database_url"] is None:
        with mistakes.about("database_url"):
            _compose_database_url(given, values, sources)
    _add_redis_password(given, values)
    for name, section in sections().items():
        prefix = f"{name}."
        with mistakes.about(*(prefix + each for each in section.COMPOSED)):
            for field, composed in section.composed(given, _within(sources, prefix)).items():
                values[prefix + field], sources[prefix + field] = composed
    if (backend := values.get("storage_backend", "local")) != "local":
        bucket_presets.complete(backend, values)
    known = values.keys() | mistakes.fields
    with mistakes.about():
        _require_bucket(values, known)
    made: dict[type[Section], Section] = {}
    for name, section in sections().items():
        prefix = f"{name}."
        made[section] = section(**_within(values, prefix))
        names = {field: knob.name for field, knob in _knobs_of(section).items()}
        there = {field.removeprefix(prefix) for field in known if field.startswith(prefix)}
        mistakes.lines += made[section].incomplete(there, names)
    root = {field: value for field, value in values.items() if "." not in field}
    given_by = {field: source for field, source in sources.items() if source is not None}
    settings = Settings(**root, sections=made, sources=given_by)
    return Sourced(settings, sources, mistakes.lines, frozenset(mistakes.fields), ignored)


def _within(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {field.removeprefix(prefix): value for field, value in values.items() if field.startswith(prefix)}


class _Mistakes:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fields: set[str] = set()

    @contextmanager
    def about(self, *fields: str) -> Iterator[None]:
        """Notes a ConfigError, and the fields it makes unusable."""
        try:
            yield
        except ConfigError as error:
            self.lines.append(error.message)
            self.fields.update(fields)


def secrets_of(settings: Settings) -> list[str]:
    """Every secret among them; of URLs the passwords alone, as they are written there and as they are meant."""
    secrets: list[str] = []
    for name, knob in knobs().items():
        value = value_of(settings, name)
        if not knob.secret or value is None:
            continue
        texts = value.values() if isinstance(value, Mapping) else [value] if isinstance(value, str) else value
        for each in texts:
            # What is no text knows which part of it is secret.
            secrets += _secrets_in(each) if isinstance(each, str) else each.secrets
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
    known |= GONE.keys() | OF_CLIENTS | OF_RAILWAY_PY
    return sorted(
        name
        for name in environ
        if name.startswith("OGEL_") and name not in known and not name.startswith(_OTHERS)
    )


def gone_names(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that this version does not read any more, and what took their place."""
    return {name: GONE[name] for name in sorted(GONE) if name in environ}


def meant_by(name: str) -> str | None:
    """The variable that somebody who wrote `name` perhaps meant. Many write OGEL_ before names that have none."""
    known = [each for knob in knobs().values() for each in knob.names]
    bare = name.removeprefix("OGEL_")
    return bare if bare in known else meant_among(name, known) or meant_among(bare, known)


def meant_among(word: str, known: Sequence[str]) -> str | None:
    return next(iter(get_close_matches(word, known, n=1, cutoff=_CLOSE)), None)


def _compose_database_url(
    given: Mapping[str, str], values: dict[str, Any], sources: dict[str, str | None]
) -> None:
    """From the seed's POSTGRES_* or libpq's PG* variables."""
    for prefix, databases in (("POSTGRES_", ("POSTGRES_DATABASE", "POSTGRES_DB")), ("PG", ("PGDATABASE",))):
        if f"{prefix}HOST" not in given:
            continue
        host = piece(given, f"{prefix}HOST", _HOST)
        port = piece(given, f"{prefix}PORT", _PORT, 5432)
        user = quote(given.get(f"{prefix}USER", "postgres"), safe="")
        password = quote(given.get(f"{prefix}PASSWORD", ""), safe="")
        database = quote(next((given[name] for name in databases if name in given), "postgres"), safe="")
        values["database_url"] = f"postgresql://{user}:{password}@{place(host)}:{port}/{database}"
        sources["database_url"] = f"{prefix}HOST"
        return


def _add_redis_password(given: Mapping[str, str], values: dict[str, Any]) -> None:
    password = given.get("REDIS_PASSWORD")
    if password is None or "redis_url" not in values:
        return
    url = ServerUrl.parse(values["redis_url"])
    if not url.password:
        values["redis_url"] = str(url.with_password(password))


def _require_bucket(values: Mapping[str, Any], known: Collection[str]) -> None:
    backend = values.get("storage_backend", "local")
    names = {field: knobs()[field].name for field in _BUCKET_NEEDS}
    if backend != "local" and (lines := needs(f"STORAGE_BACKEND is {backend}", _BUCKET_NEEDS, known, names)):
        raise ConfigError(lines[0])
