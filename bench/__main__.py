"""`python -m bench`: every figure that one machine can measure, from one run; of several versions in turns."""

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    accounts,
    attack,
    cleanup,
    deliveries,
    gateway,
    memory,
    parts,
    processes,
    realtime,
    requests,
    sizes,
    start,
    storage,
    webhooks,
)
from bench.figures import Figure, line, medians
from bench.world import HERE, Trial
from ogel.runtime.log.setup import configure_logging

Section = Callable[[Trial], Iterator[Figure]]
ROUNDS = 3
SECTIONS: dict[str, tuple[str, Section]] = {
    "requests": ("one `ogel api`, and an empty app on other servers; one process each", requests.measure),
    "accounts": ("people at one `ogel api`: who they are, and refreshed sessions", accounts.measure),
    "webhooks": ("one `ogel up`, its servers apart; a receiver that answers at once", webhooks.measure),
    "sizes": ("one `ogel api` with much in its tables", sizes.measure),
    "attack": ("others beside clients that mean no good, at one `ogel up`", attack.measure),
    "parts": ("processor time of each part of a request and of a delivery", parts.measure),
    "start": ("from nothing to ready", start.measure),
    "up": ("`ogel up`: everything in one process", processes.one_process),
    "apart": ("`ogel api` and `ogel worker webhooks`, apart", processes.two_processes),
    "deliveries": (
        "one worker draining a backlog; 1,000 in flight, a receiver that takes 50 ms",
        deliveries.measure,
    ),
    "memory": ("`ogel worker --all` over a long run", memory.measure),
    "gateway": ("one `ogel api` before a bare service of its own server, beside nginx", gateway.measure),
    "realtime": ("one `ogel realtime` and its clients, beside a bare loop", realtime.measure),
    "storage": ("one `ogel api` with a local store, and the store used directly", storage.measure),
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
    codes: list[Path] = arguments.code or [HERE]
    rounds = arguments.rounds or (1 if len(codes) == 1 else ROUNDS)
    if not arguments.json:
        print(" · ".join(f"{name} {value}" for name, value in machine.items()))
        if len(codes) > 1:
            print(f"medians of {rounds} in turns: {' | '.join(map(str, codes))}")
    measured, is_whole = {}, True
    for name in arguments.only or SECTIONS:
        title, section = SECTIONS[name]
        if not arguments.json:
            print(f"\n{title}", flush=True)
        runs, is_complete = _in_turns(section, arguments, codes, rounds)
        is_whole = is_whole and is_complete
        columns = [list(medians(mine).values()) for mine in runs]
        if len(codes) * rounds > 1 and not arguments.json:
            _show(columns)
        measured[name] = {str(code): _as_json(mine) for code, mine in zip(codes, columns, strict=True)}
    if arguments.json:
        print(json.dumps({**machine, "rounds": rounds, "sections": measured}, indent=2))
    else:
        print(f"\n{time.monotonic() - began:.0f} s in all")
    sys.exit(not is_whole)


def _in_turns(
    section: Section, arguments: argparse.Namespace, codes: Sequence[Path], rounds: int
) -> tuple[list[list[list[Figure]]], bool]:
    """
    Figures by version and round, measured A B A B, so that what else the machine does meets both; and whether all
    could be measured.
    """
    found: list[list[list[Figure]]] = [[] for _ in codes]
    is_complete, is_alone = True, len(codes) * rounds == 1
    for number in range(1, rounds + 1):
        for mine, code in zip(found, codes, strict=True):
            if not is_alone:
                print(f"  … {number} of {rounds}: {code}", file=sys.stderr, flush=True)
            mine.append([])
            try:
                for figure in _measured(section, arguments, code):
                    mine[-1].append(figure)
                    if is_alone and not arguments.json:
                        print(figure, flush=True)
            except Exception as error:  # noqa: BLE001 - what one version cannot do is a result; the others go on
                is_complete = False
                print(f"  stopped: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    return found, is_complete


def _show(columns: Sequence[Sequence[Figure]]) -> None:
    by_name = [{figure.name: figure for figure in column} for column in columns]
    for name in dict.fromkeys(figure.name for column in columns for figure in column):
        print(line([column.get(name) for column in by_name]), flush=True)


def _measured(section: Section, arguments: argparse.Namespace, code: Path) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ogel-bench-") as directory:
        yield from section(
            Trial(
                Path(directory),
                arguments.python,
                arguments.quick,
                code=code,
                jobs=arguments.jobs,
                peers=arguments.peers,
            )
        )


def _as_json(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [{**asdict(figure), "reached": figure.reached} for figure in figures]


def _version_of(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _checkout(text: str) -> Path:
    path = Path(text).resolve()
    if not (path / "ogel/__init__.py").exists():
        raise argparse.ArgumentTypeError(f"{path} holds no ogel")
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and shorter loads: five minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of the table")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="whose `ogel` is measured; the one of `make bench` has no test tools in it, which cost memory",
    )
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="this section; may be repeated"
    )
    parser.add_argument(
        "--code",
        action="append",
        type=_checkout,
        metavar="DIR",
        help="a checkout whose `ogel` is measured instead of this one's; repeated, they are measured in turns",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"turns, of which medians are shown; {ROUNDS} if there are several versions",
    )
    parser.add_argument("--jobs", type=int, help="how many `memory` performs, instead of 100,000")
    parser.add_argument(
        "--peers",
        default=str(HERE / "build/peers/bin/python"),
        help="a Python with the servers that an empty app is measured on; `make bench` makes it",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
