"""The variables themselves: every one that cannot be read, that nothing reads, or that says less than it seems to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.environ import gone_names, knobs, meant_by, unknown_names
from ogel.knobs import oddity_of

SUBJECT = "settings"

# Pieces of an address that count for nothing without the piece that names the host.
_PIECES = {
    "POSTGRES_HOST": (
        "POSTGRES_PORT",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "POSTGRES_DB",
        "POSTGRES_DATABASE",
    ),
    "PGHOST": ("PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
    "SMTP_HOST": ("SMTP_PORT", "SMTP_SECURE", "SMTP_USERNAME", "SMTP_PASSWORD"),
    "REDIS_URL": ("REDIS_PASSWORD", "REDIS_HOST", "REDISHOST", "REDIS_PORT", "REDISPORT"),
}
_WHOLE = {
    "POSTGRES_HOST": "database_url",
    "PGHOST": "database_url",
    "SMTP_HOST": "mail.smtp_url",
    "REDIS_URL": "redis_url",
}
# What other programs call what Ogel calls otherwise.
_OTHER_WORDS = {
    "DATABASE_URI": "DATABASE_URL",
    "POSTGRES_URL": "DATABASE_URL",
    "POSTGRESQL_URL": "DATABASE_URL",
    "PG_URL": "DATABASE_URL",
    "REDIS_URI": "REDIS_URL",
    "REDIS_TLS_URL": "REDIS_URL",
    "VALKEY_URL": "REDIS_URL",
    "MONGO_URI": "MONGO_URL",
    "MONGODB_URI": "MONGO_URL",
    "MONGODB_URL": "MONGO_URL",
    "S3_BUCKET_NAME": "S3_BUCKET",
    "S3_ACCESS_KEY_ID": "S3_ACCESS_KEY",
    "S3_SECRET_ACCESS_KEY": "S3_SECRET_KEY",
    "SMTP_USER": "SMTP_USERNAME",
    "SMTP_PASS": "SMTP_PASSWORD",
    "ADMIN_KEY": "OGEL_ADMIN_KEY",
    "SENTRY_URL": "SENTRY_DSN",
    "WORKER_QUEUE": "WORKER_QUEUES",
}
# Shorter ones are too common; PORT is a port's name in any case.
_LEAST_LENGTH = 6
# A byte order mark, and what else files leave before or behind a name.
_INVISIBLE = "\N{ZERO WIDTH NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\N{NO-BREAK SPACE} \t\r\n"


def read(patient: Patient) -> Sequence[Finding]:
    findings = [
        ill(SUBJECT, mistake, "correct it; `ogel settings --env` says what each variable takes")
        for mistake in patient.sourced.mistakes
    ]
    findings += [*_unknown(patient), *_pieces(patient), *_odd(patient.environ), *_other_words(patient)]
    if not findings:
        findings.append(well(SUBJECT, "every variable can be read"))
    return findings


def ignored(patient: Patient) -> Sequence[Finding]:
    return [
        well(SUBJECT, f"of {name} is left out what means nothing here: {', '.join(parts)}")
        for name, parts in patient.sourced.ignored.items()
    ]


def _unknown(patient: Patient) -> Iterator[Finding]:
    for name in unknown_names(patient.environ):
        meant = meant_by(name)
        advice = f"did you mean {meant}?" if meant else "`ogel settings` lists those that exist"
        yield ill(SUBJECT, f"unknown: {name}, which nothing reads", advice)
    for name, instead in gone_names(patient.environ).items():
        yield ill(SUBJECT, f"{name} is gone: {instead} took its place", "set that one instead")


def _pieces(patient: Patient) -> Iterator[Finding]:
    for whole, pieces in _PIECES.items():
        given = [name for name in pieces if patient.environ.get(name, "").strip()]
        if given and patient.misses(_WHOLE[whole]):
            yield ill(
                SUBJECT,
                f"{', '.join(given)} without {whole}: it counts for nothing",
                f"set {whole}, or take it away",
            )


def _odd(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Of those that take any text; the others refuse it. Docker's --env-file, for one, keeps quotes and comments."""
    for knob in knobs().values():
        for name in knob.names:
            value = environ.get(name, "").strip()
            if value and (oddity := oddity_of(value)) and _takes(knob.takes.parse, value):
                yield ill(SUBJECT, f"{name} is {oddity}", "write the value alone")


def _takes(parse: object, value: str) -> bool:
    assert callable(parse)
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _other_words(patient: Patient) -> Iterator[Finding]:
    """Only where what it seems to say is said by nothing else: another program may read it."""
    by_name = {name: field for field, knob in knobs().items() for name in knob.names}
    for name in sorted(patient.environ):
        if name in by_name or name.startswith("OGEL_") or not patient.environ[name].strip():
            continue
        clean = name.strip(_INVISIBLE).upper()
        meant = _OTHER_WORDS.get(name) or (clean if clean in by_name else None)
        if meant is None or (meant in by_name and patient.variable(by_name[meant]) is not None):
            continue
        if len(name) >= _LEAST_LENGTH and meant not in patient.environ:
            yield ill(SUBJECT, f"{name!a} is nothing that Ogel reads", f"did you mean {meant}?")
