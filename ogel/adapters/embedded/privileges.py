"""How PostgreSQL runs under this user: it refuses root, and initdb refuses a user without a passwd line."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from ogel.adapters.embedded import launch
from ogel.adapters.embedded.process import ENVIRONMENT, command_line
from ogel.kernel.errors import ConfigError

_PROBE_TIMEOUT_SECONDS = 10.0


class Probe(Struct, frozen=True):
    """The first way in which `program --version` runs, and what it printed."""

    way: str
    version: str

    def own(self, path: Path) -> None:
        """Makes everything below `path` belong to the user the server is, as seen from outside."""
        owner = launch.NOBODY_ID if self.way == launch.NOBODY else os.geteuid()
        if path.stat().st_uid == owner or os.geteuid() != 0:
            return
        for directory, _, files in os.walk(path):
            for name in (".", *files):
                os.chown(os.path.join(directory, name), owner, owner, follow_symlinks=False)


def probe(program: Path) -> Probe:
    """Raises ConfigError when the program runs in no way we know, with what it said last."""
    said = ""
    for way in _ways():
        try:
            result = subprocess.run(
                command_line([str(program), "--version"], way=way),
                capture_output=True,
                text=True,
                env=ENVIRONMENT,
                timeout=_PROBE_TIMEOUT_SECONDS,
                check=False,
                start_new_session=True,  # Ctrl-C in a terminal is for us to answer.
            )
        except subprocess.TimeoutExpired:
            said = f"no answer within {_PROBE_TIMEOUT_SECONDS:.0f} seconds"
            continue
        if result.returncode == 0:
            return Probe(way, result.stdout.strip())
        said = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    raise ConfigError(
        f"PostgreSQL does not run here as {user} ({said}): run ogel as another user, or set DATABASE_URL."
    )


def _ways() -> tuple[str, ...]:
    """Best first: seen from outside, a server in a user namespace is still our user, as are its files."""
    if sys.platform != "linux":
        return (launch.AS_IS,)
    if os.geteuid() == 0:
        return (launch.USER_NAMESPACE, launch.NOBODY)
    return (launch.AS_IS,) if _has_a_name() else (launch.USER_NAMESPACE, launch.AS_IS)


def _has_a_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True
