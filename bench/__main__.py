"""`python -m bench`: every figure of design §9 that one machine can measure, from one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import cleanup, deliveries, memory, processes
from bench.figures import Figure
from bench.world import Trial
from ogel.runtime.logging import configure_logging

Section = Callable[[Trial], Iterator[Figure]]
SECTIONS: dict[str, tuple[str, Section]] = {
    "up": ("`ogel up`: everything in one process", processes.one_process),
    "apart": ("`ogel api` and `ogel worker webhooks`, apart", processes.two_processes),
    "deliveries": (
        "one worker draining a backlog; 1,000 in flight, a receiver that takes 50 ms",
        deliveries.measure,
    ),
    "memory": ("`ogel worker --all` over a long run", memory.measure),
    "cleanup": ("a million expired rows deleted beside a busy API", cleanup.measure),
}


def main() -> None:
    arguments = _arguments()
    # Children inherit it: a thousand connections are a thousand files, at both ends.
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    configure_logging("warning")
    began = time.monotonic()
    machine = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": _version_of(arguments.python),
        "quick": arguments.quick,
    }
    if not arguments.json:
        print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    measured = {}
    for name in arguments.only or SECTIONS:
        title, section = SECTIONS[name]
        if not arguments.json:
            print(f"\n{title}", flush=True)
        measured[name] = _measured(section, arguments, shown=not arguments.json)
    if arguments.json:
        print(json.dumps({**machine, "sections": measured}, indent=2))
    else:
        print(f"\n{time.monotonic() - began:.0f} s in all")


def _measured(section: Section, arguments: argparse.Namespace, *, shown: bool) -> list[dict[str, object]]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="ogel-bench-") as directory:
        for figure in section(Trial(Path(directory), arguments.python, arguments.quick)):
            if shown:
                print(figure, flush=True)
            figures.append({**asdict(figure), "reached": figure.reached})
    return figures


def _version_of(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and shorter loads: half a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of the table")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="whose `ogel` is measured; the one of `make bench` has no test tools in it, which cost memory",
    )
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="this section; may be repeated"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
