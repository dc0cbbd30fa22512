"""A configuration file, evaluated as Railway's CLI does it: by any python3, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ogel.features.releases.configuration.graph import Graph, graph_of
from ogel.kernel.errors import ConfigError

SECONDS = 60.0
# Where Railway's CLI looks, after where this project has it.
PLACES = ("railway/railway.py", ".railway/railway.py")
_MOST_CHARACTERS = 500

# The first of these names that there is; what is returned may know how to become plain data.
_EVALUATE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("configuration", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
def first(*names):
    return next((found for found in (getattr(module, name, None) for name in names) if found), None)
project = first("main", "Railway", "default")
project = project() if callable(project) else project
project = project.to_graph() if hasattr(project, "to_graph") else project
print(json.dumps({"partial": first("PARTIAL", "Partial", "partial"), "project": project}, default=str))
"""


def found_file(given: Path | None) -> Path:
    """Raises ConfigError."""
    if given is not None:
        if given.suffix != ".py":
            raise ConfigError(f"--file: {given} is no Python file, which is what can be evaluated here")
        return given
    for place in PLACES:
        if Path(place).is_file():
            return Path(place)
    raise ConfigError(f"there is no {' and no '.join(PLACES)} here: say --file")


def evaluate(file: Path, environment: Mapping[str, str] | None = None) -> Graph:
    """With this process's environment, if no other is given. Raises ConfigError, with what the file said."""
    python = shutil.which("python3") or sys.executable
    try:
        ran = subprocess.run(
            [python, "-B", "-c", _EVALUATE, str(file.resolve())],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{file} could not be evaluated within {SECONDS:g} s") from None
    except OSError as error:
        raise ConfigError(f"{file} could not be evaluated: {error}") from error
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.strip()]
        raise ConfigError(
            f"{file}: {said[-1][:_MOST_CHARACTERS] if said else f'ended with {ran.returncode}'}"
        )
    try:
        return graph_of(json.loads(ran.stdout))
    except (ValueError, AttributeError) as error:
        raise ConfigError(
            f"{file}: it may print nothing, and its main returns a project ({error})"
        ) from error
