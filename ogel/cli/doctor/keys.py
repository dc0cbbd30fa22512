"""OGEL_ADMIN_KEY and OGEL_SECRET: there, strong, and two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.kernel.errors import OgelError
from ogel.settings import missing

SUBJECT = "secrets"
_MAKE_ONE = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
# Words of examples, which whoever guesses tries first.
_PLACEHOLDER = re.compile(
    r"change.?(me|this|it)|replace.?(me|this|with)|your.?(own|secret|key|admin|password|ogel)|(super|my|top).?secret"
    r"|insert.?(a|your)|random.?string|local.?(test|dev)|placeholder|example|dummy|sample|insecure|to.?be.?(set|changed)|password|passw0rd|qwerty|letmein|correct.?horse"
    r"|<[^>]*>|\.\.\.|lorem|development|todo",
    re.IGNORECASE,
)
_SEQUENCES = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "9876543210", "qwertyuiopasdfghjkl")
_LEAST_DIFFERENT = 8
_RUN = 12
_HEADER = re.compile(r"[\x21-\x7e]+")


def look(patient: Patient) -> Sequence[Finding]:
    findings = [*_wrong(patient)]
    if not findings and not patient.embedded:
        findings.append(well(SUBJECT, "OGEL_ADMIN_KEY and OGEL_SECRET are long enough"))
    return findings


def _wrong(patient: Patient) -> Iterator[Finding]:
    settings, wrong = patient.given, patient.sourced.wrong
    if not patient.embedded and not wrong & {"admin_key", "secret"}:
        for line in missing(settings, "admin_key", "secret"):
            yield ill(SUBJECT, line, _MAKE_ONE)
    for name, value in (("OGEL_ADMIN_KEY", settings.admin_key), ("OGEL_SECRET", settings.secret)):
        if value is not None and (reason := weakness(value)):
            yield ill(SUBJECT, f"{name} is weak: {reason}", _MAKE_ONE)
    if settings.admin_key is not None and settings.admin_key == settings.secret:
        yield ill(
            SUBJECT,
            "OGEL_ADMIN_KEY is OGEL_SECRET: whoever may ask can read what is sealed",
            f"two values of their own; {_MAKE_ONE}",
        )
    if settings.admin_key is not None and not _HEADER.fullmatch(settings.admin_key):
        yield ill(
            SUBJECT,
            "OGEL_ADMIN_KEY holds a character that no Authorization header can carry",
            "use ASCII letters, digits and signs, without spaces",
        )
    yield from _not_of_the_data(patient)


def weakness(secret: str) -> str | None:
    """What makes it easy to guess, without quoting it."""
    if _PLACEHOLDER.search(secret):
        return "it holds words of an example"
    if len(set(secret)) < _LEAST_DIFFERENT:
        return f"it has {len(set(secret))} different characters"
    if any(_repeats(secret, width) for width in range(1, (len(secret) + 1) // 2 + 1)):
        return "it repeats itself"
    lower = secret.lower()
    if any(lower[at : at + _RUN] in run for run in _SEQUENCES for at in range(len(lower) - _RUN + 1)):
        return "it counts, or follows the alphabet or the keyboard"
    return None


def _repeats(secret: str, width: int) -> bool:
    """Whether it is nothing but its first `width` characters again and again; the last time without its last one."""
    return len(secret) + 1 >= 2 * width and all(
        character == secret[place % width] for place, character in enumerate(secret)
    )


def _not_of_the_data(patient: Patient) -> Iterator[Finding]:
    """Before anything runs: what the data directory was made with."""
    from ogel.adapters.embedded import kept_secret

    given, data_dir = patient.given, patient.given.data_dir
    if not patient.misses("database_url") or given.secret is None or not (data_dir / "postgres").exists():
        return
    try:
        kept = kept_secret(data_dir, "secret")
    except OgelError:
        return  # a directory that cannot be read has a finding of its own
    if kept is not None and kept not in (given.secret, *given.former_secrets):
        yield ill(
            SUBJECT,
            f"OGEL_SECRET is not that of {data_dir}, where another one was made: what it sealed cannot be read",
            f"take OGEL_SECRET away, or add what {data_dir / 'secret'} holds to OGEL_SECRET_OLD",
        )
