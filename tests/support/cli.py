"""`ogel` commands that come to an end, run as an operator runs them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from ogel.cli import main
from ogel.environ import knobs
from tests.support.forking import ROOT, Forked, can_fork

SECONDS = 60.0
_PIECES = ("POSTGRES_", "PG", "REDIS_", "OGEL_")


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


def ogel(*arguments: str, at: Path | None = None, module: str = "ogel", **settings: str) -> Finished:
    """
    A process of its own, in a directory and with settings of the test's own, none of the developer's. `module`: another
    one, where processes can be forked.
    """
    environment = _environment(settings)
    if not can_fork(environment):
        return _fresh(arguments, at, environment)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        running = Forked(arguments, environment, out.fileno(), err.fileno(), at, module)
        try:
            code = running.wait(SECONDS)
        finally:
            running.kill()
            running.wait(SECONDS)
        out.seek(0)
        err.seek(0)
        return Finished(code, out.read(), err.read())


def _fresh(arguments: Sequence[str], at: Path | None, environment: Mapping[str, str]) -> Finished:
    # The checkout may be installed, or only be where the tests were started.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, "-m", "ogel", *arguments],
        cwd=at,
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)


def ogel_here(*arguments: str, **settings: str) -> Finished:
    """The same in this process, ten times as fast: for what ends before anything is started."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        _logging_as_it_was(),
        mock.patch.dict(os.environ, _environment(settings), clear=True),
        mock.patch.object(sys, "argv", ["ogel", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """A command says once for its process how lines are logged; the tests after it want theirs."""
    root, configure, before = logging.getLogger(), structlog.configure, structlog.get_config()
    handlers, level, showwarning = root.handlers, root.level, warnings.showwarning

    def for_now(**options: Any) -> None:
        # Loggers that were kept would stay as they are now.
        configure(**{**options, "cache_logger_on_first_use": False})

    try:
        with mock.patch.object(structlog, "configure", for_now):
            yield
    finally:
        configure(**before)
        root.handlers, warnings.showwarning = handlers, showwarning
        root.setLevel(level)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """None of the developer's own."""
    ours = {name for knob in knobs().values() for name in knob.names}
    return {k: v for k, v in environment.items() if k not in ours and not k.startswith(_PIECES)}


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    # Not the port that everybody has: another Ogel of this machine may have it.
    return {**without_settings(os.environ), "PORT": "0", **settings}


def findings(finished: Finished) -> list[dict[str, Any]]:
    """Of `ogel doctor --json`."""
    items: list[dict[str, Any]] = json.loads(finished.out)["items"]
    return items
