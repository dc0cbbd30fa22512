"""What is examined: the settings as far as they can be read, and the suite that runs on this machine, if one does."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ogel.environ import Sourced, read_what_can_be_read, value_of
from ogel.kernel.errors import OgelError
from ogel.settings import Settings

_ANSWER_SECONDS = 2.0
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /health/ready of an Ogel on PORT said."""

    ready: bool
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Patient:
    """
    settings  what was not given is that of the `ogel up` that runs in OGEL_DATA_DIR, if one does.
    answers   what an Ogel on PORT said of itself; None when none answers there.
    pid       of the `ogel up` that runs in OGEL_DATA_DIR.
    """

    environ: Mapping[str, str]
    sourced: Sourced
    settings: Settings
    answers: Readiness | None = None
    pid: int | None = None

    @property
    def given(self) -> Settings:
        return self.sourced.settings

    @property
    def embedded(self) -> bool:
        """`ogel up` would start a server of its own; a URL that is wrong is not one that is missing."""
        return self.misses("database_url") or self.misses("redis_url")

    def misses(self, field: str) -> bool:
        return value_of(self.given, field) is None and field not in self.sourced.wrong

    def variable(self, field: str) -> str | None:
        """The variable that gave it."""
        return self.sourced.sources[field]

    @property
    def in_container(self) -> bool:
        return self.on_railway or any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))

    @property
    def on_railway(self) -> bool:
        return "RAILWAY_ENVIRONMENT" in self.environ or "RAILWAY_ENVIRONMENT_ID" in self.environ


def met(environ: Mapping[str, str]) -> Patient:
    sourced = read_what_can_be_read(environ)
    settings, pid = sourced.settings, None
    patient = Patient(environ, sourced, settings)
    if patient.embedded:
        with suppress(OgelError):  # a data directory that cannot be read is a finding, made elsewhere
            settings = _with_running_servers(patient)
        pid = _holder(settings.data_dir) if settings != sourced.settings else None
    return dataclasses.replace(patient, settings=settings, answers=_ask(settings), pid=pid)


def _with_running_servers(patient: Patient) -> Settings:
    from ogel.adapters.embedded import kept_secret, running_urls

    given = patient.given
    database_url, redis_url = running_urls(given.data_dir)
    return dataclasses.replace(
        given,
        database_url=database_url if patient.misses("database_url") else given.database_url,
        redis_url=redis_url if patient.misses("redis_url") else given.redis_url,
        secret=given.secret or (kept_secret(given.data_dir, "secret") if patient.misses("secret") else None),
    )


def _holder(data_dir: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int((data_dir / "ogel.lock").read_text().strip())
    return None


def _ask(settings: Settings) -> Readiness | None:
    """Who else serves HTTP on the port has no such path, or no such answer there."""
    host = "localhost" if settings.host in (None, "::", "0.0.0.0") else settings.host  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(host or "localhost", settings.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        said: Any = json.loads(connection.getresponse().read(_MOST_BYTES))
        if said["status"] not in ("ready", "unready"):
            return None
        failing = tuple(name for name, good in said["checks"].items() if not good)
        return Readiness(said["status"] == "ready", failing)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError):
        return None
    finally:
        connection.close()


def patient_of_environment() -> Patient:
    return met(os.environ)
